import pg from 'pg';
import { expect, test } from 'vitest';
import { createPostgresItemStore } from '../../src/adapters/postgres/postgres-item-store.ts';
import { createPostgresPopularityReader } from '../../src/adapters/postgres/postgres-popularity-reader.ts';
import { createPostgresRankingStore } from '../../src/adapters/postgres/postgres-ranking-store.ts';
import { createPostgresStandings } from '../../src/adapters/postgres/postgres-standings.ts';
import { REFRESH_LOCK } from '../../src/adapters/postgres/standings-lists.ts';
import { newInteractionIdAt } from '../../src/interactions/interaction-id.ts';
import type { Ranking } from '../../src/popularity/ranking.ts';
import { createTestDatabase } from '../servers/create-test-database.ts';
import { waitFor } from '../servers/wait-for.ts';
import { createRecording, entries, interaction } from '../recording/fixture.ts';

const DEPTH = 4;
const ids = Array.from({ length: 40 }, (_, n) => `item-${String(n).padStart(2, '0')}`);

test('of many equals the first by id are served, down to the last, as leaders disappear or fall', async () => {
  await using recording = await createRecording(await createTestDatabase(), ids);
  const { database } = recording.migrated;
  const standings = createPostgresStandings({ database, depth: DEPTH });
  const items = createPostgresItemStore(database);
  const reader = createPostgresPopularityReader({ ...database, read: database.primary });
  const [popular] = await createPostgresRankingStore(database).list();
  if (popular === undefined) throw new Error('no ranking');
  const page = async (): Promise<string[]> => {
    while ((await standings.refresh()).more);
    return (await reader.standings(popular, 'WEEK', null, null, DEPTH))?.items.map(({ itemId }) => itemId) ?? [];
  };

  const likes = ids.map((itemId) => interaction({ itemId, type: 'LIKE' }));
  // In an order in which every place in the list is taken and lost again.
  const shuffled = likes.toSorted((a, b) => (a.id.slice(-4) < b.id.slice(-4) ? -1 : 1));
  for (let from = 0; from < shuffled.length; from += 5) {
    await recording.recorder.record(entries(...shuffled.slice(from, from + 5)));
    const liked = shuffled.slice(0, from + 5).map(({ itemId }) => itemId);
    expect(await page()).toEqual(liked.toSorted((a, b) => (a < b ? -1 : 1)).slice(0, DEPTH));
  }
  // Rescored, though nothing changed: as far down as these stand, they stay left out.
  await items.upsert(
    ids.slice(-2).map((id) => ({ id, title: id, category: null, url: null, imageUrl: null, attributes: null })),
  );
  expect(await page()).toEqual(ids.slice(0, DEPTH));
  const left = [...ids];
  while (left.length > 0) {
    const leaders = left.splice(0, 3);
    if (leaders.length % 2 === left.length % 2) await items.hide(leaders, true);
    else {
      const retractions = leaders.map((itemId) => interaction({ itemId, type: 'LIKE', retraction: true }));
      await recording.recorder.record(entries(...retractions));
    }
    expect(await page()).toEqual(left.slice(0, DEPTH));
  }
});

test('one pass takes all batches that touched the same items, and of others as many as it has room for', async () => {
  await using recording = await createRecording(await createTestDatabase(), ids);
  const standings = createPostgresStandings({ database: recording.migrated.database, itemsPerPass: 10 });
  while ((await standings.refresh()).more);
  const view = (itemIds: readonly string[]): Promise<unknown> =>
    recording.recorder.record(entries(...itemIds.map((itemId) => interaction({ itemId }))));
  for (let batch = 0; batch < 5; batch += 1) await view(ids.slice(0, 8));
  await view(ids.slice(8, 10));
  await view(ids.slice(9, 11));
  expect(await standings.refresh()).toMatchObject({ touchedItems: 10, more: true });
  expect(await standings.refresh()).toMatchObject({ touchedItems: 2, more: false });
});

test('the first pass of all has all that was recorded, as of now, though more waits to be rescored', async () => {
  await using recording = await createRecording(await createTestDatabase(), ids);
  const { database } = recording.migrated;
  for (let batch = 0; batch < 201; batch += 1) {
    await recording.recorder.record(entries(interaction({ itemId: ids[batch % 40] ?? '', user: `u${batch}` })));
  }
  const beforeMs = Date.now();
  const { more, asOf } = await createPostgresStandings({ database }).refresh();
  expect(more).toBe(true);
  expect(asOf?.getTime()).toBeGreaterThanOrEqual(beforeMs);
  const trending = (await createPostgresRankingStore(database).list()).find(({ name }) => name === 'trending');
  if (trending === undefined) throw new Error('no ranking');
  const reader = createPostgresPopularityReader({ ...database, read: database.primary });
  const page = await reader.standings(trending, null, null, null, 100);
  const recount = await reader.sum({ ranking: trending, window: null, types: null, category: null, asOf: null });
  expect(page?.items.map(({ itemId, people }) => [itemId, people])).toEqual(
    recount.items.map(({ itemId, people }) => [itemId, people]),
  );
  for (const { score } of page?.items ?? []) expect(score).toBeLessThan(201);
});

test('a ranking that came or changed is answered by its recipe at once, and has standings after one pass like any other', async () => {
  await using recording = await createRecording(await createTestDatabase(), ids);
  const { database } = recording.migrated;
  const store = createPostgresRankingStore(database);
  const reader = createPostgresPopularityReader({ ...database, read: database.primary });
  await recording.recorder.record(entries(interaction({ itemId: 'item-00' })));
  await createPostgresStandings({ database }).refresh();
  const before = await store.list();
  const came: Ranking = {
    name: 'came',
    description: 'x',
    counts: 'events',
    weights: new Map([['VIEW', 2]]),
    window: 'DAY',
    halfLifeHours: null,
  };
  await store.replaceAll([
    ...before.map((ranking) => (ranking.name === 'trending' ? { ...ranking, halfLifeHours: 48 } : ranking)),
    came,
  ]);
  for (const ranking of await store.list()) {
    const page = await reader.standings(ranking, ranking.window, null, null, DEPTH);
    expect(page === null, ranking.name).toBe(['trending', 'came'].includes(ranking.name));
  }
  await createPostgresStandings({ database }).refresh();
  const [trending] = (await store.list()).filter(({ name }) => name === 'trending');
  if (trending === undefined) throw new Error('no trending');
  const [first] = (await reader.standings(trending, null, null, null, DEPTH))?.items ?? [];
  expect(first?.score).toBeGreaterThan(0.9);
  expect(first?.score).toBeLessThanOrEqual(1);
  expect((await reader.standings(came, 'DAY', null, null, DEPTH))?.items).toMatchObject([
    { itemId: 'item-00', score: 2 },
  ]);
});

test('of two workers one refreshes and the other leaves it to them', async () => {
  await using recording = await createRecording(await createTestDatabase(), ids);
  const { database } = recording.migrated;
  await recording.recorder.record(entries(interaction({ itemId: 'item-00' })));
  const results = await database.transaction(async (tx) => {
    await tx.$queryRaw`SELECT pg_try_advisory_xact_lock(4717211)`;
    return createPostgresStandings({ database }).refresh();
  });
  expect(results).toMatchObject({ led: false, touchedItems: 0 });
  expect(await createPostgresStandings({ database }).refresh()).toMatchObject({ led: true, touchedItems: 1 });
});

test('what another has refreshed just now is left, unless more is waiting', async () => {
  await using recording = await createRecording(await createTestDatabase(), ids);
  const { database } = recording.migrated;
  const record = () => recording.recorder.record(entries(interaction({ itemId: 'item-00' })));
  let nowMs = Date.now();
  const now = (): number => nowMs;
  const [one, other] = [createPostgresStandings({ database, now }), createPostgresStandings({ database, now })];
  await one.refresh();
  await record();
  expect(await other.refresh(60_000)).toMatchObject({ led: false, more: false, touchedItems: 0 });
  nowMs += 1;
  expect(await other.refresh(1)).toMatchObject({ led: true, touchedItems: 1 });
  // More rows than one pass takes: the standings' time stands still until all are in.
  for (let batch = 0; batch < 201; batch += 1) await record();
  const completeAtMs = nowMs;
  nowMs += 1;
  expect(await one.refresh()).toMatchObject({ led: true, more: true, asOf: new Date(completeAtMs) });
  nowMs += 1;
  expect(await other.refresh(2)).toMatchObject({ led: true, more: false, asOf: new Date(nowMs) });
});

test('rankings are replaced beside no pass: it would fill the new ones by the old recipes', async () => {
  await using recording = await createRecording(await createTestDatabase(), ids.slice(0, 1));
  const { database, server } = recording.migrated;
  const store = createPostgresRankingStore(database);
  const rankings = await store.list();
  const pass = new pg.Client({ connectionString: server.url });
  await pass.connect();
  try {
    await pass.query('BEGIN');
    await pass.query('SELECT pg_try_advisory_xact_lock($1)', [REFRESH_LOCK]);
    let isReplaced = false;
    const replacing = store.replaceAll(rankings.slice(1)).then(() => (isReplaced = true));
    await waitFor('the replacement to wait', async () => {
      const [row] = await recording.sql(
        "SELECT count(*)::int AS waiting FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
      );
      return row?.['waiting'] === 1;
    });
    expect(isReplaced).toBe(false);
    await pass.query('COMMIT');
    await replacing;
    expect(await store.list()).toEqual(rankings.slice(1));
  } finally {
    await pass.end();
  }
});

test('before 1970 nothing had happened, at any hour', async () => {
  await using recording = await createRecording(await createTestDatabase(), ids.slice(0, 1));
  const { database } = recording.migrated;
  await recording.recorder.record(entries(interaction({ itemId: 'item-00' })));
  const reader = createPostgresPopularityReader(database);
  for (const ranking of await createPostgresRankingStore(database).list()) {
    const window = ranking.window === null ? null : 'ALL_TIME';
    for (const time of ['1969-12-31T23:30:00Z', '1969-12-31T12:00:00Z', '1900-01-01T23:00:00Z']) {
      const asked = { ranking, window, types: null, category: null, asOf: new Date(time) } as const;
      expect((await reader.sum(asked)).items).toEqual([]);
    }
  }
});

test('rescoring reads the hours of two days, and all of them only of an item whose past has changed', async () => {
  await using recording = await createRecording(await createTestDatabase(), ids.slice(0, 2));
  const { database } = recording.migrated;
  const standings = createPostgresStandings({ database });
  const hour = Math.floor(Date.now() / 3_600_000);
  const past = (item: string, hoursAgo: number): Promise<unknown> =>
    recording.sql(`
      INSERT INTO hours SELECT key, ${hour - hoursAgo}, 'VIEW', 1, 1 FROM items WHERE id = '${item}'
      ON CONFLICT (item_key, hour, type) DO UPDATE SET events = hours.events + 1, people = hours.people + 1`);
  await recording.sql(`
    INSERT INTO hours SELECT key, ${hour} - ago, 'VIEW', 1, 1 FROM items, generate_series(1, 600) AS ago WHERE id = 'item-00';
    INSERT INTO totals SELECT key, 'VIEW', 600, 600 FROM items WHERE id = 'item-00'`);
  const score = async (): Promise<number> => {
    await recording.recorder.record(entries(interaction({ itemId: 'item-00' })));
    while ((await standings.refresh()).more);
    const rows = await recording.sql(`
      SELECT power(2::float8, s.sort_key - ${hour} / 24.0) AS score FROM standings s JOIN standing_lists l ON l.id = s.list_id
      WHERE l.ranking = 'trending' AND l.category = ''`);
    return Number(rows[0]?.['score']);
  };
  const half = (ago: number): number => 2 ** (-ago / 24);
  const all = (from: number, to: number): number =>
    Array.from({ length: to - from + 1 }, (_, n) => half(from + n)).reduce((sum, share) => sum + share, 0);
  // Interactions of one person in one hour count once.
  expect(await score()).toBeCloseTo(1 + all(1, 600), 6);

  // Behind the back of those who record: what has an anchor is not read again.
  await past('item-00', 200);
  expect(await score()).toBeCloseTo(1 + all(1, 600), 6);
  await recording.sql(
    "INSERT INTO touched (item_keys, past_keys) SELECT ARRAY[key], ARRAY[key] FROM items WHERE id = 'item-00'",
  );
  expect(await score()).toBeCloseTo(1 + all(1, 600) + half(200), 6);

  // A worker of an older version leads a pass: it takes what was touched, and leaves the anchors as they are.
  await past('item-00', 300);
  await recording.sql('UPDATE standings_state SET as_of = as_of');
  expect(await score()).toBeCloseTo(1 + all(1, 600) + half(200) + half(300), 6);
  // Versions that do not know the column, and the erasure of a person.
  await past('item-00', 400);
  await recording.sql("INSERT INTO touched (item_keys) SELECT ARRAY[key] FROM items WHERE id = 'item-00'");
  expect(await score()).toBeCloseTo(1 + all(1, 600) + half(200) + half(300) + half(400), 6);
});

test('a batch names the items of which it changes a day before today, and a change of an item itself names none', async () => {
  await using recording = await createRecording(await createTestDatabase(), ids.slice(0, 3));
  const { recorder } = recording;
  const daysAgo = (itemId: string, days: number) =>
    interaction({ itemId, id: newInteractionIdAt(Date.now() - days * 86_400_000) });
  await recorder.record(entries(interaction({ itemId: 'item-00' }), daysAgo('item-01', 1), daysAgo('item-02', 20)));
  await recorder.record(entries(interaction({ itemId: 'item-00' })));
  await createPostgresItemStore(recording.migrated.database).hide(['item-02'], true);
  expect(
    await recording.sql(`
      SELECT ARRAY(SELECT id FROM items WHERE key = ANY(item_keys) ORDER BY id) AS touched,
        ARRAY(SELECT id FROM items WHERE key = ANY(coalesce(past_keys, item_keys)) ORDER BY id) AS past
      FROM touched ORDER BY seq`),
  ).toEqual([
    { touched: ['item-00', 'item-01', 'item-02'], past: ['item-01', 'item-02'] },
    { touched: ['item-00'], past: [] },
    { touched: ['item-02'], past: [] },
  ]);
});
