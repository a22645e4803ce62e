import { createClient } from '@keyv/redis';
import { expect, it } from 'vitest';
import { newInteractionId } from '../../src/interactions/interaction-id.ts';
import { viewerKeyOf } from '../../src/interactions/viewer-key.ts';
import { startCommand } from '../commands/start-command.ts';
import { query } from '../servers/query.ts';
import { waitFor } from '../servers/wait-for.ts';
import { as, asAdmin, ask, startOnServers, type System } from './system.ts';

const ITEMS = ['a', 'b', 'c'];
const EVENTS = ['VIEW', 'SHARE', 'COMMENT', 'PURCHASE'];

async function record(system: System, user: string, items: readonly string[], types: readonly string[]): Promise<void> {
  const inputs = items.flatMap((itemId) => types.map((type) => ({ itemId, type })));
  const document =
    'mutation ($inputs: [RecordInteractionInput!]!) { recordInteractions(inputs: $inputs) { results { userErrors { code } } } }';
  const { body } = await ask(system, document, { inputs }, as(user));
  expect(body.errors).toBeUndefined();
}

/** `table.column` of every value, of any type, in which one of these texts occurs. */
async function columnsWith(databaseUrl: string, texts: readonly string[]): Promise<string[]> {
  const columns = await query(
    databaseUrl,
    `SELECT table_name AS "table", column_name AS "column", data_type = 'bytea' AS bytes FROM information_schema.columns
     JOIN information_schema.tables USING (table_schema, table_name)
     WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1, 2`,
  );
  // In one statement: there are hundreds of columns, in the partitions most of them.
  const places = columns.map(({ table, column, bytes }) => {
    const text = bytes === true ? `encode("${String(column)}", 'escape')` : `"${String(column)}"::text`;
    const patterns = texts.map((one) => `${text} LIKE '%${one}%'`).join(' OR ');
    const place = `${String(table)}.${String(column)}`;
    return `SELECT '${place}' AS place WHERE EXISTS (SELECT FROM "${String(table)}" WHERE ${patterns})`;
  });
  return (await query(databaseUrl, places.join(' UNION ALL '))).map(({ place }) => String(place));
}

/** Keys of Redis that hold one of these texts, in their name or in their value. */
async function keysWith(redisUrl: string, texts: readonly string[]): Promise<string[]> {
  const client = createClient({ url: redisUrl });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const found: string[] = [];
    for (const key of await client.keys('*')) {
      const type = await client.type(key);
      const value = type === 'string' ? await client.get(key) : await client.zRange(key, 0, -1).catch(() => '');
      if (texts.some((text) => `${key} ${String(value)}`.includes(text))) found.push(key);
    }
    return found;
  } finally {
    client.destroy();
  }
}

async function count(system: System, table: string): Promise<number> {
  return Number((await query(system.databaseUrl ?? '', `SELECT count(*)::int AS rows FROM ${table}`))[0]?.['rows']);
}

it('an erased person is nowhere: recorded, reacted, rejected, pending, in the queue, in the outbox; all counts agree', async () => {
  await using system = await startOnServers({ worker: false });
  const { databaseUrl, env } = system;
  if (databaseUrl === null) throw new Error('no database to look into');
  const ann = viewerKeyOf({ userId: 'ann' });
  const texts = [ann, ann.replaceAll('-', '')];
  const items = ITEMS.map((id) => ({ id, title: id }));
  await ask(
    system,
    'mutation ($items: [ItemInput!]!) { upsertItems(items: $items) { items { id } } }',
    { items },
    asAdmin,
  );
  {
    await using _worker = await startCommand('worker', env);
    for (const user of ['ann', 'bob', 'cid']) await record(system, user, ITEMS, ['LIKE', 'SAVE', ...EVENTS]);
    await waitFor('all to be recorded', async () => (await count(system, 'interactions')) === 54);
  }
  // No worker runs: this waits in the queue, and is pending in Redis.
  await record(system, 'ann', ITEMS, EVENTS);
  await record(system, 'bob', ['a'], ['VIEW']);
  // As with the broker away; and rejected, of an item that went and of a version that nobody here knows.
  const message = (version: number, itemId: string): string =>
    JSON.stringify({
      v: version,
      id: newInteractionId(),
      item: itemId,
      viewer: ann,
      type: 'VIEW',
      at: Date.now(),
    });
  await query(databaseUrl, `INSERT INTO outbox (body) VALUES ('${message(1, 'a')}')`);
  await query(
    databaseUrl,
    `INSERT INTO rejected (body_hash, body, viewer, reason, detail) VALUES
      ('one', '${message(1, 'gone')}', '${ann}', 'ITEM_NOT_FOUND', 'gone'),
      ('two', '${message(98, 'a')}', NULL, 'NEWER_VERSION', 'version 98')`,
  );
  expect(await columnsWith(databaseUrl, texts)).toEqual(
    expect.arrayContaining([
      'interactions.viewer',
      'people.viewer',
      'reactions.viewer',
      'rejected.body',
      'outbox.body',
    ]),
  );
  expect(await keysWith(env['REDIS_URL'] ?? '', texts)).not.toEqual([]);

  const erased = await ask(system, 'mutation { eraseViewer(userId: "ann") { erasedInteractions } }', {}, asAdmin);
  expect(erased.body.data).toEqual({ eraseViewer: { erasedInteractions: 18 } });
  expect(await keysWith(env['REDIS_URL'] ?? '', texts)).toEqual([]);

  await using _worker = await startCommand('worker', env);
  await waitFor('what was in flight to be worked off', async () => {
    const settled = (await count(system, 'outbox')) === 0 && (await count(system, 'touched')) === 0;
    return settled && (await count(system, 'interactions')) === 37;
  });
  await waitFor('the queue to be empty', async () => (await columnsWith(databaseUrl, texts)).length === 0);
  expect(await keysWith(env['REDIS_URL'] ?? '', texts)).toEqual([]);

  // Two people are left, and one view more of one of them.
  for (const [table, bucket] of [
    ['hours', 'hour'],
    ['days', 'day'],
    ['minutes', 'minute'],
    ['totals', 'null'],
  ]) {
    const sums = await query(
      databaseUrl,
      `SELECT id, type::text, sum(events)::int AS events, sum(people)::int AS people, min(${bucket}) IS NULL AS whole
       FROM ${table} JOIN items ON key = item_key GROUP BY id, type HAVING sum(events) <> 0 OR sum(people) <> 0`,
    );
    expect(sums, table).toHaveLength(18);
    for (const { id, type, events, people } of sums) {
      const more = id === 'a' && type === 'VIEW' ? 1 : 0;
      expect([table, id, type, events], String(table)).toEqual([table, id, type, 2 + more]);
      expect(Number(people)).toBeGreaterThanOrEqual(2);
      expect(Number(people)).toBeLessThanOrEqual(2 + more);
    }
  }
  const standings = `SELECT DISTINCT s.people::int AS people FROM standings s JOIN standing_lists l ON l.id = s.list_id
    WHERE l.ranking = 'most-liked' AND l.period = 'ALL_TIME' AND l.category = ''`;
  await waitFor('the standings to agree', async () => {
    const rows = await query(databaseUrl, standings);
    return rows.length === 1 && rows[0]?.['people'] === 2;
  });
});
