import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseConfig } from '../src/config.ts';
import type { Ports } from '../src/ports.ts';
import type { RankedItem } from '../src/popularity/popularity-reader.ts';
import type { Ranking } from '../src/popularity/ranking.ts';
import { createLogger } from '../src/runtime/logger.ts';
import { createMetrics } from '../src/runtime/metrics.ts';
import { createPorts } from '../src/wiring.ts';
import { pasteIntoShell, readmeBlock } from './commands/readme-blocks.ts';
import { runCommand } from './commands/run-command.ts';
import { startCommand, type RunningCommand } from './commands/start-command.ts';
import { ask } from './end-to-end/system.ts';
import {
  countReviews,
  countsAsOf,
  mostLiked,
  popularInWeek,
  readReviews,
  type RankedVendor,
  type Review,
  type TypeCount,
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
const PER_PAGE = 30;
const PAGE = `query ($ranking: String!, $window: PopularityWindow!, $asOf: DateTime!, $after: String) {
  popularItems(first: ${PER_PAGE}, ranking: $ranking, window: $window, asOf: $asOf, after: $after) {
    ranking window asOf pageInfo { hasNextPage endCursor }
    nodes { rank score people counts { type count } item { id } } } }`;

let database: TestDatabase;
let api: RunningCommand;
let ports: Ports;
let reviews: Review[];
const summaries: string[] = [];
let countedOnce: string[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  const env = { DATABASE_URL: database.url };
  expect(await runCommand('migrate', env)).toMatchObject({ exitCode: 0 });
  // As the README has it, of its own file.
  const comments = async (): Promise<string> =>
    pasteIntoShell((await readmeBlock('sh', 'npm run import')).replace('reviews.csv.bz2', FILE), env);
  const likes = async (): Promise<string> => {
    const only = ['--interactions', FILE, '--type', 'LIKE', '--where', 'rating>=4'];
    const done = await runCommand('import', env, [...only, ...COLUMNS]);
    expect(done).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(/^(?:.* rows, \d+ % read\n)*$/) });
    return done.stdout;
  };
  summaries.push(await comments(), await likes());
  countedOnce = await totals();
  summaries.push(await comments(), await likes());

  const parsed = parseConfig(env, { servesApi: false });
  if (!parsed.ok) throw new Error(parsed.faults.join('\n'));
  ports = await createPorts(parsed.config, {
    logger: createLogger('silent', 'test'),
    metrics: createMetrics(),
    role: 'command',
  });
  reviews = await readReviews(FILE);
  api = await startCommand('api', env);
}, 600_000);

afterAll(async () => {
  await api?.[Symbol.asyncDispose]();
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

/** All that is ranked, asked for page by page. */
async function pages(name: string, window: string, asOf: Date): Promise<unknown[]> {
  const nodes: unknown[] = [];
  for (let after: unknown = null; ;) {
    const { body } = await ask(api, PAGE, { ranking: name, window, asOf, after });
    const page = body.data?.['popularItems'];
    expect(page).toMatchObject({ ranking: name, window, asOf: asOf.toISOString(), nodes: expect.any(Array) });
    if (!isPage(page)) throw new Error(JSON.stringify(body));
    nodes.push(...page.nodes);
    if (!page.pageInfo.hasNextPage) return nodes;
    expect(page.nodes).toHaveLength(PER_PAGE);
    after = page.pageInfo.endCursor;
  }
}

interface Page {
  readonly nodes: unknown[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

function isPage(value: unknown): value is Page {
  return typeof value === 'object' && value !== null && 'nodes' in value && 'pageInfo' in value;
}

function asNodes(ranked: readonly RankedVendor[], counts: ReadonlyMap<string, TypeCount[]>): unknown[] {
  return ranked.map(({ vendor, score, people }, index) => ({
    rank: index + 1,
    score,
    people,
    counts: counts.get(vendor) ?? [],
    item: { id: vendor },
  }));
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

it.each(DATES)('over GraphQL, as of %s, each page and its counts are those of a plain recount', async (time) => {
  const asOf = new Date(time);
  const liked = await pages('most-liked', 'ALL_TIME', asOf);
  const popular = await pages('popular', 'WEEK', asOf);
  expect(liked.length).toBeGreaterThan(10);
  expect(popular.length).toBeGreaterThan(5);
  expect(liked).toEqual(asNodes(mostLiked(reviews, asOf), countsAsOf(reviews, asOf)));
  expect(popular).toEqual(asNodes(popularInWeek(reviews, asOf), countsAsOf(reviews, asOf, 168)));
});

it("the README's question is answered in its form, and by a recount", async () => {
  const command = (await readmeBlock('sh', 'curl')).replace('http://127.0.0.1:4000', api.url);
  const asOf = new Date('2006-12-24T12:00:00Z');
  const nodes = asNodes(popularInWeek(reviews, asOf), countsAsOf(reviews, asOf, 168)).slice(0, 3);
  expect(nodes).toHaveLength(3);
  expect(JSON.parse(await pasteIntoShell(command))).toEqual({
    data: { popularItems: { ranking: 'popular', window: 'WEEK', asOf: asOf.toISOString(), nodes } },
  });
});

it('standings are up to date after an import though no worker runs', async () => {
  const page = await ports.popularity.standings(await ranking('most-liked'), 'ALL_TIME', null, null, 1_000);
  expect(asVendors(page?.items ?? [])).toEqual(mostLiked(reviews, new Date()));
});
