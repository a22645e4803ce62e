import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseConfig } from '../src/config.ts';
import type { Ports } from '../src/ports.ts';
import type { RankedItem } from '../src/popularity/popularity-reader.ts';
import type { Ranking } from '../src/popularity/ranking.ts';
import { createLogger } from '../src/runtime/logger.ts';
import { createMetrics } from '../src/runtime/metrics.ts';
import { createPorts } from '../src/wiring.ts';
import { runCommand } from './commands/run-command.ts';
import {
  countReviews,
  mostLiked,
  popularInWeek,
  readReviews,
  type RankedVendor,
  type Review,
} from './sample/recount.ts';
import { createTestDatabase, type TestDatabase } from './servers/create-test-database.ts';
import { query } from './servers/query.ts';

/** Real reviews; where they are from is in test/sample/LICENSE.md. BENCH_REVIEWS: the whole file, where somebody has it. */
const FILE = process.env['BENCH_REVIEWS'] ?? join(import.meta.dirname, 'sample/reviews.csv.bz2');
const COLUMNS = ['--create-items', '--columns', 'itemId=vendorId,userId=reviewerId,occurredAt=date'];
const DATES = [
  '2006-05-15T12:30:00Z',
  '2006-09-01T00:00:00Z',
  '2007-01-01T23:59:59.999Z',
  '2007-07-04T06:00:00Z',
  '2008-02-20T18:45:00Z',
];

let database: TestDatabase;
let ports: Ports;
let reviews: Review[];
const summaries: string[] = [];
let countedOnce: string[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  const env = { DATABASE_URL: database.url };
  expect(await runCommand('migrate', env)).toMatchObject({ exitCode: 0 });
  const once = async (): Promise<void> => {
    for (const kind of [
      ['--type', 'COMMENT'],
      ['--type', 'LIKE', '--where', 'rating>=4'],
    ]) {
      const done = await runCommand('import', env, ['--interactions', FILE, ...kind, ...COLUMNS]);
      expect(done).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(/^(?:.* rows, \d+ % read\n)*$/) });
      summaries.push(done.stdout);
    }
  };
  await once();
  countedOnce = await totals();
  await once();

  const parsed = parseConfig(env, { servesApi: false });
  if (!parsed.ok) throw new Error(parsed.faults.join('\n'));
  ports = await createPorts(parsed.config, {
    logger: createLogger('silent', 'test'),
    metrics: createMetrics(),
    role: 'command',
  });
  reviews = await readReviews(FILE);
}, 600_000);

afterAll(async () => {
  await ports?.close();
  await database?.drop();
});

async function totals(): Promise<string[]> {
  const rows = await query(
    database.url,
    'SELECT id, type, events, people FROM totals JOIN items ON key = item_key WHERE events <> 0 OR people <> 0',
  );
  return rows
    .map((row) => `${String(row['id'])} ${String(row['type'])} ${String(row['events'])} ${String(row['people'])}`)
    .toSorted();
}

async function ranking(name: string): Promise<Ranking> {
  const found = (await ports.rankings.list()).find((one) => one.name === name);
  if (found === undefined) throw new Error(`no ranking ${name}`);
  return found;
}

function asVendors(items: readonly RankedItem[]): RankedVendor[] {
  return items.map(({ itemId, score, people }) => ({ vendor: itemId, score, people }));
}

it('importing real reviews counts what a recount of the file counts, the likes of one person once', () => {
  const expected = [...countReviews(reviews)].flatMap(([vendor, { comments, commenters, likes }]) => [
    `${vendor} COMMENT ${comments} ${commenters}`,
    ...(likes === 0 ? [] : [`${vendor} LIKE ${likes} ${likes}`]),
  ]);
  expect(expected.length).toBeGreaterThan(300);
  expect(countedOnce).toEqual(expected.toSorted());
});

it('importing both files a second time changes no count and says that every row was known', async () => {
  expect(await totals()).toEqual(countedOnce);
  const liked = reviews.filter(({ rating }) => rating >= 4).length;
  const shown = (count: number): string => count.toLocaleString('en-US');
  expect(summaries[0]).toContain(`${shown(reviews.length)} stored, 0 bad`);
  expect(summaries[1]).toContain(`${shown(liked)} stored, ${shown(reviews.length - liked)} left out by --where, 0 bad`);
  expect(summaries[2]).toContain(`0 stored, ${shown(reviews.length)} known already, 0 bad`);
  expect(summaries[3]).toContain(`0 stored, ${shown(liked)} known already`);
});

it.each(DATES)('most-liked and popular as of %s are in the order of a plain recount', async (time) => {
  const asOf = new Date(time);
  const past = { types: null, category: null, asOf };
  const { sum } = ports.popularity;
  const { items: liked } = await sum({ ...past, ranking: await ranking('most-liked'), window: 'ALL_TIME' });
  const { items: popular } = await sum({ ...past, ranking: await ranking('popular'), window: 'WEEK' });
  expect(liked.length).toBeGreaterThan(10);
  expect(popular.length).toBeGreaterThan(5);
  expect(asVendors(liked)).toEqual(mostLiked(reviews, asOf));
  expect(asVendors(popular)).toEqual(popularInWeek(reviews, asOf));
});

it('standings are up to date after an import though no worker runs', async () => {
  const page = await ports.popularity.standings(await ranking('most-liked'), 'ALL_TIME', null, null, 1_000);
  expect(asVendors(page?.items ?? [])).toEqual(mostLiked(reviews, new Date()));
});
