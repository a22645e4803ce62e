import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPostgresInteractionReader } from '../../src/adapters/postgres/postgres-interaction-reader.ts';
import { createPostgresItemStore } from '../../src/adapters/postgres/postgres-item-store.ts';
import { createOutboxSource } from '../../src/adapters/postgres/postgres-outbox.ts';
import { createPostgresPopularityReader } from '../../src/adapters/postgres/postgres-popularity-reader.ts';
import { createPostgresRankingStore } from '../../src/adapters/postgres/postgres-ranking-store.ts';
import { createPostgresRecorder } from '../../src/adapters/postgres/postgres-recorder.ts';
import { createPostgresWriteProgress } from '../../src/adapters/postgres/postgres-write-progress.ts';
import { createPostgresStandings } from '../../src/adapters/postgres/postgres-standings.ts';
import type { Database } from '../../src/adapters/postgres/prisma-database.ts';
import type { RecordEntry } from '../../src/interactions/recorder.ts';
import { viewerKeyOf } from '../../src/interactions/viewer-key.ts';
import type { SummedRanking } from '../../src/popularity/popularity-reader.ts';
import type { Ranking } from '../../src/popularity/ranking.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { createMigratedDatabase, type MigratedDatabase } from '../migrated-database.ts';
import { createTestDatabase } from '../servers/create-test-database.ts';
import { query } from '../servers/query.ts';
import { waitFor } from '../servers/wait-for.ts';
import { entries, interaction } from '../recording/fixture.ts';
import { explainedDatabase, type PlanNode } from './explained-database.ts';

const ITEMS = 60_000;
/** Tables that grow with use; a scan of one would cost more every day. */
const GROWING = /^(items|interactions|people|reactions|minutes|hours|days|totals|standings|outbox)(_\d{6})?$/;

let migrated: MigratedDatabase;
let rankings: readonly Ranking[];

beforeAll(async () => {
  migrated = await createMigratedDatabase();
  const { database, server } = migrated;
  const hour = Math.floor(Date.now() / 3_600_000);
  await query(
    server.url,
    `
    INSERT INTO items (id, title, category, attributes)
      SELECT 'item-' || n, 'x', 'c' || n % 5, jsonb_build_object('about', repeat(md5(n::text), 8)) FROM generate_series(1, ${ITEMS}) n;
    INSERT INTO hours SELECT key, ${hour} - (key + h * 119) % 700, 'VIEW', 3, 2 FROM items, generate_series(1, 6) h ON CONFLICT DO NOTHING;
    INSERT INTO days SELECT item_key, hour / 24, type, sum(events), sum(people) FROM hours GROUP BY 1, 2, 3;
    INSERT INTO totals SELECT item_key, type, sum(events), sum(people) FROM hours GROUP BY 1, 2;
    INSERT INTO minutes SELECT key, ${hour} * 60 - (key * 7) % 2800, 'VIEW', 3, 2 FROM items;
    SELECT ensure_month(now());
    INSERT INTO interactions SELECT (left(uuid_at(now() - n * interval '1 millisecond')::text, 14) || '7' || right(md5(n::text), 3)
      || '-8' || right(gen_random_uuid()::text, 16))::uuid, gen_random_uuid(), n % ${ITEMS} + 1, 'VIEW', false
      FROM generate_series(1, 50000) n ON CONFLICT DO NOTHING;
    INSERT INTO outbox (body) SELECT decode(repeat(md5(n::text), 8), 'hex') FROM generate_series(1, 50000) n;
    INSERT INTO reactions SELECT gen_random_uuid(), n % ${ITEMS} + 1, 'LIKE' FROM generate_series(1, 50000) n;
    INSERT INTO people SELECT gen_random_uuid(), n % ${ITEMS} + 1, ${hour}, ${hour} * 60, 'VIEW' FROM generate_series(1, 50000) n;`,
  );
  const standings = createPostgresStandings({ database });
  while ((await standings.refresh()).more);
  await query(server.url, 'ANALYZE');
  rankings = await createPostgresRankingStore(database).list();
});
afterAll(() => migrated[Symbol.asyncDispose]());

const logger = createLogger('silent', 'test');
const ids = Array.from({ length: 100 }, (_, n) => `item-${n * 500 + 1}`);
const viewer = viewerKeyOf({ userId: 'ann' });
const id = interaction().id;
const [itemId = ''] = ids;
const ranking = (name: string): Ranking => {
  const found = rankings.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no ranking ${name}`);
  return found;
};

type HotQuery = [string, (database: Database) => Promise<unknown>];
const DAY_MS = 86_400_000;
const past = (days: number): Date => new Date(Date.now() - days * DAY_MS);
const summed = (db: Database, query: Partial<SummedRanking>) =>
  createPostgresPopularityReader(db).sum({
    ranking: ranking('popular'),
    window: 'DAY',
    types: null,
    category: null,
    asOf: past(1),
    ...query,
  });

/** Summed over all that is active: a scan of a rollup may be the best plan there is. */
const SUMS: HotQuery[] = [
  ['the sum of a past week', (db) => summed(db, { window: 'WEEK', asOf: past(10) })],
  ['the sum of all time, seen from yesterday', (db) => summed(db, { window: 'ALL_TIME' })],
  ['the sum of all time, seen from long ago', (db) => summed(db, { window: 'ALL_TIME', asOf: past(10) })],
  ['the sum of a past decay', (db) => summed(db, { ranking: ranking('trending'), window: null, asOf: past(10) })],
];

const READS: HotQuery[] = [
  [
    'the first page of a standing',
    (db) => createPostgresPopularityReader(db).standings(ranking('popular'), 'WEEK', null, null, 101),
  ],
  [
    'a later page of a category',
    (db) =>
      createPostgresPopularityReader(db).standings(
        ranking('trending'),
        null,
        'c1',
        { sortKey: 1, itemId: 'item-5' },
        101,
      ),
  ],
  ['counts of a page by hour', (db) => createPostgresPopularityReader(db).counts(ids, 'HOUR', new Date())],
  ['counts of a page by week', (db) => createPostgresPopularityReader(db).counts(ids, 'WEEK', new Date())],
  ['counts of a page of all time', (db) => createPostgresPopularityReader(db).counts(ids, 'ALL_TIME', new Date())],
  ['the sum of a past hour', (db) => summed(db, { window: 'HOUR' })],
  ['the sum of a past day', (db) => summed(db, { asOf: past(10) })],
  ['the sum of some types of a day', (db) => summed(db, { types: ['VIEW'], category: 'c1', asOf: new Date() })],
  ['items by id', (db) => createPostgresItemStore(db).find(ids, null)],
  ['known items', (db) => createPostgresItemStore(db).known(ids)],
  ['what changed in the catalogue', (db) => createPostgresItemStore(db).changes()],
];

const HOT: HotQuery[] = [
  ...READS,
  ['interactions by id', (db) => createPostgresInteractionReader(db).find([id], viewer)],
  ['recent interactions of a viewer', (db) => createPostgresInteractionReader(db).recent(viewer, id, 20)],
  ['reactions of a viewer to a page', (db) => createPostgresInteractionReader(db).reactionsTo(viewer, ids)],
  [
    'all reactions of a viewer',
    (db) => createPostgresInteractionReader(db).standingReactions(viewer, 'LIKE', id, 100, ids),
  ],
  [
    'recording a batch',
    (db) =>
      createPostgresRecorder(db).record(
        entries(
          ...ids.map((itemId) => interaction({ itemId, type: 'LIKE' })),
          ...ids.map((itemId) => interaction({ itemId })),
        ),
      ),
  ],
  [
    'recording what is known, and comes again',
    async (db) => {
      const recorder = createPostgresRecorder(db);
      const known = entries(interaction({ itemId }), interaction({ itemId, type: 'LIKE' }));
      const results = [];
      for (let time = 0; time < 3; time += 1) results.push(await recorder.record(known));
      expect(results.map(({ recorded, duplicates }) => [recorded, duplicates])).toEqual([
        [2, 0],
        [0, 2],
        [0, 2],
      ]);
    },
  ],
  [
    'recording beside what is rejected',
    async (db) => {
      const [recorder, reused] = [createPostgresRecorder(db), interaction({ itemId })];
      const batch = entries(reused, interaction({ itemId: 'unknown' }), {
        ...reused,
        viewer: viewerKeyOf({ userId: 'bob' }),
      });
      const { rejected } = await recorder.record(batch);
      expect(rejected.map(({ reason }) => reason).toSorted()).toEqual(['ID_REUSED', 'ITEM_NOT_FOUND']);
    },
  ],
  ['taking a batch from the outbox', (db) => createPostgresRecorder(db).record(fromOutbox())],
  [
    'reading the outbox',
    async (db) => {
      const source = createOutboxSource({ database: db, prefetch: 100, pollMs: 10, logger });
      let full = false;
      await source.start(
        () => undefined,
        () => (full = true),
      );
      await waitFor('as much as it hands out', () => full);
      await source.backlog();
      await source.close();
    },
  ],
  ['how far writes have come', (db) => createPostgresWriteProgress(db).look([id])],
  ['refreshing the standings', (db) => createPostgresStandings({ database: db }).refresh()],
];

/** Rows that wait in the middle of the outbox. */
function fromOutbox(): RecordEntry[] {
  const waiting = ids.map((itemId) => interaction({ itemId }));
  return entries(...waiting).map((entry, index) => ({ ...entry, outboxSeq: BigInt(10_000 + index) }));
}

test.each(HOT)('%s never scans a growing table', async (_, run) => {
  const nodes: PlanNode[] = [];
  await run(explainedDatabase(migrated.database, nodes));
  expect(nodes.length).toBeGreaterThan(0);
  const scanned = nodes.filter((node) => node['Node Type'] === 'Seq Scan' && GROWING.test(node['Relation Name'] ?? ''));
  expect(scanned.map((node) => node['Relation Name'])).toEqual([]);
});

test.each([...READS, ...SUMS])('%s never touches raw interactions', async (_, run) => {
  const nodes: PlanNode[] = [];
  await run(explainedDatabase(migrated.database, nodes));
  expect(
    nodes.map((node) => node['Relation Name'] ?? '').filter((name) => /^(interactions|people)/.test(name)),
  ).toEqual([]);
});

test('a page of a standing is one walk down its index', async () => {
  const nodes: PlanNode[] = [];
  await createPostgresPopularityReader(explainedDatabase(migrated.database, nodes)).standings(
    ranking('popular'),
    'WEEK',
    null,
    null,
    21,
  );
  expect(nodes.map((node) => node['Index Name'])).toContain('standings_order_idx');
});

test('counts of a small catalogue are read by item, and not by time with all others', async () => {
  await using small = await createMigratedDatabase({ ...(await createTestDatabase()), replicaUrls: [] });
  const hour = Math.floor(Date.now() / 3_600_000);
  await query(
    small.server.url,
    `
    INSERT INTO items (id, title) SELECT 'item-' || n, 'x' FROM generate_series(1, 1000) n;
    INSERT INTO minutes SELECT key, ${hour} * 60 - n, 'VIEW', 3, 2 FROM items, generate_series(1, 20) n;
    INSERT INTO days SELECT key, ${hour} / 24 - n, 'VIEW', 3, 2 FROM items, generate_series(1, 20) n;
    ANALYZE`,
  );
  const page = Array.from({ length: 20 }, (_, n) => `item-${n + 1}`);
  const connection = small.connect();
  const reader = createPostgresPopularityReader(connection);
  for (const window of ['HOUR', 'MONTH'] as const) {
    // Often enough for Postgres to keep a plan that is good for any time.
    for (let n = 0; n < 80; n += 1) await reader.counts(page, window, new Date());
  }
  // Postgres counts what a connection did when that ends.
  await connection.close();
  const scans = `
    SELECT relname AS table, indexrelname AS index FROM pg_stat_user_indexes
    WHERE relname IN ('minutes', 'days') AND idx_scan > 0 ORDER BY 1, 2`;
  const used = () => query(small.server.url, scans);
  await waitFor('what was scanned', async () => (await used()).length >= 2);
  expect(await used()).toEqual([
    { table: 'days', index: 'days_pkey' },
    { table: 'minutes', index: 'minutes_pkey' },
  ]);
});
