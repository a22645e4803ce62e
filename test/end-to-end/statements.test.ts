import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newInteractionId, newInteractionIdAt } from '../../src/interactions/interaction-id.ts';
import { startCommand } from '../commands/start-command.ts';
import { query } from '../servers/query.ts';
import { resetStatementCounts, statementCounts, type StatementCount } from '../servers/statement-counts.ts';
import { waitFor } from '../servers/wait-for.ts';
import { as, asAdmin, ask, startOnServers, type System } from './system.ts';

const ITEMS = 50;
const category = `shelf ${randomUUID()}`;
const ids = Array.from({ length: ITEMS }, (_, n) => `${category} ${n}`);
/** By item, in the order in which they were given. */
const interactionIds = new Map(ids.map((id, n) => [id, newInteractionIdAt(Date.now() - 60_000 + n)]));

/**
 * What an API process sends whatever it is asked: regularly, to learn of the catalogue's changes, the rankings and a replica's health;
 * on each new connection, to set the statement timeout and to see whether it leads to Postgres itself.
 */
const POLLERS = [
  /FROM catalogue_state/,
  /FROM rankings|"rankings"/,
  /pg_is_in_recovery/,
  /^SET statement_timeout/,
  /pg_backend_pid/,
];
/** By what each kind of entity is read from. */
const KINDS = {
  standings: /FROM standings_state/,
  items: /SELECT \/\* plan kept \*\/ id, title, .* FROM items WHERE id = ANY/s,
  counts: /WITH wanted AS/,
  reactions: /FROM reactions r/,
  interactions: /FROM interactions i JOIN items/,
  rejected: /FROM rejected/,
};

let system: System;
let primaryUrl: string;
let replicaUrl: string;

/** 50 items that ann liked, in the standings of the primary and of the replica. The worker has ended, its statements too. */
beforeAll(async () => {
  system = await startOnServers({ worker: false });
  primaryUrl = system.env['DATABASE_URL'] ?? '';
  replicaUrl = system.env['DATABASE_REPLICA_URLS'] ?? '';
  await upsert(ids);
  const inputs = [...interactionIds].map(([itemId, id]) => ({ itemId, type: 'LIKE', id }));
  const mutation =
    'mutation ($inputs: [RecordInteractionInput!]!) { recordInteractions(inputs: $inputs) { results { userErrors { code } } } }';
  await ask(system, mutation, { inputs }, as('ann'));
  await using worker = await startCommand('worker', system.env);
  for (const url of [primaryUrl, replicaUrl]) {
    await waitFor(
      'the standings',
      async () =>
        Number((await query(url, `SELECT min(n)::int AS n FROM (${STANDING}) AS lists`))[0]?.['n'] ?? 0) === ITEMS,
    );
  }
  worker.signal('SIGTERM');
  expect(await worker.ended()).toBe(0);
});
afterAll(() => system[Symbol.asyncDispose]());

const STANDING = `
  SELECT count(s.item_id) AS n FROM standing_lists l LEFT JOIN standings s ON s.list_id = l.id
  WHERE l.ranking = 'popular' AND l.category IN ('', '${category}') GROUP BY l.id`;

async function upsert(itemIds: readonly string[]): Promise<void> {
  const mutation = 'mutation ($items: [ItemInput!]!) { upsertItems(items: $items) { userErrors { code } } }';
  await ask(system, mutation, { items: itemIds.map((id) => ({ id, title: id, category })) }, asAdmin);
}

/** No cache has an item that was just changed. */
const forgetItems = (): Promise<void> => upsert(ids);

async function statementsOf(work: () => Promise<void>): Promise<Record<'primary' | 'replica', StatementCount[]>> {
  for (const url of [primaryUrl, replicaUrl]) await resetStatementCounts(url);
  await work();
  const ours = async (url: string) =>
    (await statementCounts(url)).filter(({ query: sql }) => !POLLERS.some((poller) => poller.test(sql)));
  return { primary: await ours(primaryUrl), replica: await ours(replicaUrl) };
}

/** How often each kind was read there; whatever is of no kind goes by its own text. */
function byKind(statements: readonly StatementCount[]): Record<string, number> {
  const calls: Record<string, number> = {};
  for (const { query: sql, calls: more } of statements) {
    const kind = Object.entries(KINDS).find(([, pattern]) => pattern.test(sql))?.[0] ?? sql;
    calls[kind] = (calls[kind] ?? 0) + more;
  }
  return calls;
}

it('a query over 50 items with every relation runs one statement per kind of entity, on the replica where that may be', async () => {
  const everyRelation = `query ($category: String) { popularItems(first: ${ITEMS}, category: $category, window: DAY) {
    nodes { rank score people counts { type count }
      item { id title counts(window: DAY) { type count } viewerReactions } } } }`;
  const { primary, replica } = await statementsOf(async () => {
    const { body } = await ask(system, everyRelation, { category }, as('ann'));
    const counts = [{ type: 'LIKE', count: 1 }];
    const item = { counts, viewerReactions: ['LIKE'] };
    expect(body.errors).toBeUndefined();
    expect(body.data).toMatchObject({ popularItems: { nodes: ids.map(() => ({ people: 1, counts, item })) } });
  });
  expect(byKind(replica)).toEqual({ standings: 1, items: 1, counts: 1 });
  expect(byKind(primary)).toEqual({ reactions: 1 });
});

it('items asked for by their ids, and each window of their counts, are one statement each', async () => {
  const byIds = `query ($ids: [ID!]!) { items(ids: $ids) { id title counts { type count } week: counts(window: WEEK) { count }
    viewerReactions } }`;
  const { body } = await ask(system, byIds, { ids }, as('ann'));
  expect(body.errors).toBeUndefined();
  // Others than above, so that no cache has them.
  const fresh = ids.map((id) => `${id} more`);
  await upsert(fresh);
  await waitFor(
    'the items on the replica',
    async () => (await query(replicaUrl, 'SELECT FROM items')).length === 2 * ITEMS,
  );
  const { primary, replica } = await statementsOf(async () => {
    const answer = await ask(system, byIds, { ids: fresh }, as('ann'));
    expect(answer.body.data).toMatchObject({ items: fresh.map((id) => ({ id, counts: [], viewerReactions: [] })) });
  });
  expect(byKind(replica)).toEqual({ items: 1, counts: 2 });
  expect(byKind(primary)).toEqual({ reactions: 1 });
});

it.each([
  ['interactions', `{ viewer { interactions(first: ${ITEMS}) { nodes { id item { id } } } } }`],
  ['reactions', `{ viewer { reactions(first: ${ITEMS}) { nodes { type item { id } } } } }`],
])('the %s of a viewer and the items of each are one statement each', async (kind, history) => {
  await forgetItems();
  const { primary, replica } = await statementsOf(async () => {
    const { body } = await ask(system, history, {}, as('ann'));
    expect(body.errors).toBeUndefined();
    expect(body.data).toMatchObject({
      viewer: { [kind]: { nodes: ids.toReversed().map((id) => ({ item: { id } })) } },
    });
  });
  expect(byKind(primary)).toEqual({ [kind]: 1 });
  expect(byKind(replica)).toEqual({ items: 1 });
});

it('interactions asked for by their ids are one statement, and one for those that are not recorded', async () => {
  const known = ids.slice(0, 18).map((itemId) => ({ itemId, id: interactionIds.get(itemId) ?? '' }));
  const asked = [...known.map(({ id }) => id), newInteractionId(), newInteractionId()];
  const byIds = `{ ${asked.map((id, n) => `i${n}: interaction(id: "${id}") { status item { id } }`).join(' ')} }`;
  await forgetItems();
  const { primary, replica } = await statementsOf(async () => {
    const { body } = await ask(system, byIds, {}, as('ann'));
    expect(body.errors).toBeUndefined();
    const found = known.map(({ itemId }, n) => [`i${n}`, { status: 'RECORDED', item: { id: itemId } }]);
    expect(body.data).toEqual({ ...Object.fromEntries(found), i18: null, i19: null });
  });
  expect(byKind(primary)).toEqual({ interactions: 1, rejected: 1 });
  expect(byKind(replica)).toEqual({ items: 1 });
});
