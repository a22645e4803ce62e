import { expect, it } from 'vitest';
import { startCommand } from '../commands/start-command.ts';
import { query } from '../servers/query.ts';
import { waitFor } from '../servers/wait-for.ts';
import { as, asAdmin, ask, startOnServers, type System } from './system.ts';

const INTERACTIONS = 50_000;
const KILLS = 5;
const BULK = 1_000;
const ITEMS = 100;
const TYPES = ['VIEW', 'SHARE', 'PURCHASE'];

it(
  'killing the worker again and again in the middle of 50,000 interactions leaves exactly 50,000 counted',
  { timeout: 300_000 },
  async () => {
    await using system = await startOnServers({ worker: false });
    const { databaseUrl } = system;
    if (databaseUrl === null) throw new Error('no database to look into');
    const count = async (sql: string): Promise<number> =>
      Number((await query(databaseUrl, `SELECT (${sql})::int AS n`))[0]?.['n']);
    const recorded = (): Promise<number> => count('SELECT count(*) FROM interactions');

    await accept(system);
    for (let kill = 1; kill <= KILLS; kill += 1) {
      await using worker = await startCommand('worker', system.env);
      const enough = ((kill - 0.5) / KILLS) * INTERACTIONS;
      await waitFor('the worker to be in the middle of it', async () => (await recorded()) >= enough, { everyMs: 5 });
      worker.signal('SIGKILL');
      await worker.ended();
    }
    expect(await recorded()).toBeLessThanOrEqual(INTERACTIONS);
    await using _last = await startCommand('worker', system.env);
    await waitFor('all to be recorded', async () => (await recorded()) === INTERACTIONS);

    expect(await count('SELECT sum(events) FROM totals')).toBe(INTERACTIONS);
    for (const rollup of ['hours', 'days', 'minutes']) {
      expect(await count(`SELECT sum(events) FROM ${rollup}`), rollup).toBe(INTERACTIONS);
      expect(await count(`SELECT sum(people) FROM ${rollup}`), rollup).toBe(
        await count('SELECT sum(people) FROM totals'),
      );
    }
    expect(
      (await count('SELECT count(*) FROM people')) +
        (await count('SELECT count(*) FROM reactions WHERE since_id IS NOT NULL')),
    ).toBe(await count('SELECT sum(people) FROM totals'));
    expect(await count('SELECT count(*) FROM rejected')).toBe(0);
  },
);

/** Through the API, each person liking an item at most once, so that every interaction is one event. */
async function accept(system: System): Promise<void> {
  const items = Array.from({ length: ITEMS }, (_, n) => ({ id: `item-${n}`, title: `Item ${n}` }));
  await ask(
    system,
    'mutation ($items: [ItemInput!]!) { upsertItems(items: $items) { userErrors { code } } }',
    { items },
    asAdmin,
  );
  for (let start = 0; start < INTERACTIONS; start += BULK) {
    const inputs = Array.from({ length: BULK }, (_, n) => {
      const round = Math.floor(n / ITEMS);
      return { itemId: `item-${n % ITEMS}`, type: round === 0 ? 'LIKE' : TYPES[round % TYPES.length] };
    });
    const { body } = await ask(
      system,
      'mutation ($inputs: [RecordInteractionInput!]!) { recordInteractions(inputs: $inputs) { results { userErrors { code } } } }',
      { inputs },
      as(`user-${start}`),
    );
    expect(body.errors).toBeUndefined();
  }
}
