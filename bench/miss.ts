import { createPostgresItemStore } from '../src/adapters/postgres/postgres-item-store.ts';
import { createPostgresPopularityReader } from '../src/adapters/postgres/postgres-popularity-reader.ts';
import { createPostgresRankingStore } from '../src/adapters/postgres/postgres-ranking-store.ts';
import { createPostgresStandings } from '../src/adapters/postgres/postgres-standings.ts';
import type { Database } from '../src/adapters/postgres/prisma-database.ts';
import { query } from '../test/servers/query.ts';
import { ask, cursorsOf } from './ask.ts';
import { alternate } from './alternate.ts';
import { figure, median, type Figure } from './figure.ts';
import { fillHistory } from './fill-history.ts';
import { createFilledCatalogue, openDatabase, startBenchPostgres } from './postgres.ts';
import { startOurs } from './program.ts';

const ITEMS = 100_000;
const FEW = 100_000;
const MANY = 5_000_000;
const PAGE = 20;
const ROUNDS = 9;
const READS = 100;
const SECRET = 'only-for-the-benchmark-0123456789abcdef';

/** What a read costs that no cache answers, in a short and in a long history. */
export async function miss(): Promise<Figure[]> {
  await using postgres = await startBenchPostgres();
  const urls = {
    few: await createFilledCatalogue(postgres, ITEMS),
    many: await createFilledCatalogue(postgres, ITEMS),
  };
  await Promise.all([fillHistory(urls.few, FEW, ITEMS), fillHistory(urls.many, MANY, ITEMS)]);
  await query(urls.many, 'CHECKPOINT');
  const few = openDatabase(urls.few);
  const many = openDatabase(urls.many);
  try {
    const size = `${FEW.toLocaleString('en')} and ${MANY.toLocaleString('en')} interactions`;
    const reads = { few: await pageReader(few), many: await pageReader(many) };
    for (const read of Object.values(reads)) await timed(READS, read);
    const pairs = await alternate(
      ROUNDS,
      () => timed(READS, reads.many),
      () => timed(READS, reads.few),
    );
    const requests = await requestTimes(urls.few, urls.many);
    const raw = { few: await timed(3, () => sumRaw(urls.few)), many: await timed(3, () => sumRaw(urls.many)) };
    return [
      figure({
        name: 'miss',
        what: 'standings and items, 5 million / 100 thousand',
        values: pairs.map(({ ours, peer }) => ours / peer),
        bar: { atMost: 1.5 },
        detail: `${ms(median(pairs.map(({ peer }) => peer)))} and ${ms(median(pairs.map(({ ours }) => ours)))} at ${size}`,
      }),
      figure({
        name: 'miss',
        what: 'standings and items at 5 million',
        values: pairs.map(({ ours }) => ours),
        unit: ' ms',
        bar: { atMost: 10 },
        detail: `the plain sum over raw rows: ${ms(raw.few)} and ${ms(raw.many)}`,
      }),
      figure({
        name: 'miss',
        what: 'whole request over HTTP at 5 million',
        values: requests.map(({ ours }) => ours),
        unit: ' ms',
        bar: { atMost: 10 },
        detail: `a page never asked for before; ${ms(median(requests.map(({ peer }) => peer)))} at 100 thousand`,
      }),
      figure({
        name: 'refresh',
        what: 'one pass of the standings, 2,000 items touched, at 5 million',
        values: await refreshTimes(many),
        unit: ' ms',
        digits: 0,
        detail: 'every ranking and window',
      }),
    ];
  } finally {
    await few.close();
    await many.close();
  }
}

async function pageReader(database: Database): Promise<() => Promise<void>> {
  const reader = createPostgresPopularityReader(database);
  const items = createPostgresItemStore(database);
  const popular = (await createPostgresRankingStore(database).list()).find(({ name }) => name === 'popular');
  if (popular === undefined) throw new Error('the ranking popular is missing');
  return async () => {
    const page = await reader.standings(popular, 'WEEK', null, null, PAGE);
    const found = await items.find(page?.items.map(({ itemId }) => itemId) ?? [], null);
    if (found.length !== PAGE) throw new Error(`${found.length} items on the page`);
  };
}

/** The median of one after the other, in milliseconds. */
async function timed(times: number, work: () => Promise<unknown>): Promise<number> {
  const durations: number[] = [];
  for (let time = 0; time < times; time += 1) {
    const startedAt = performance.now();
    await work();
    durations.push(performance.now() - startedAt);
  }
  return median(durations);
}

/** Pages that begin at a different rank each, so that no cache knows them. */
async function requestTimes(fewUrl: string, manyUrl: string) {
  const env = { AUTH_JWT_SECRET: SECRET };
  await using few = await startOurs('api', { ...env, DATABASE_URL: fewUrl }, null);
  await using many = await startOurs('api', { ...env, DATABASE_URL: manyUrl }, null);
  const cursors = { few: await enoughCursors(few.url), many: await enoughCursors(many.url) };
  const next = (url: string, after: string[]) => async () => {
    const nodes = 'nodes { rank score people item { id title category imageUrl } }';
    await ask(url, `{ popularItems(first: ${PAGE}, after: "${after.pop() ?? ''}") { ${nodes} asOf } }`);
  };
  return await alternate(
    ROUNDS,
    () => timed(READS, next(many.url, cursors.many)),
    () => timed(READS, next(few.url, cursors.few)),
  );
}

async function enoughCursors(url: string): Promise<string[]> {
  const cursors = await cursorsOf(url, 10);
  if (cursors.length < ROUNDS * READS) throw new Error(`only ${cursors.length} cursors`);
  return cursors;
}

/** What a service without rollups would do: weigh every row of the window. */
async function sumRaw(url: string): Promise<void> {
  await query(
    url,
    `SELECT i.id, i.title, s.score FROM (
       SELECT item_key, sum(CASE type WHEN 'VIEW' THEN 1 WHEN 'LIKE' THEN 3 WHEN 'SHARE' THEN 5 WHEN 'PURCHASE' THEN 10 ELSE 4 END) AS score
       FROM interactions WHERE id >= uuid_at(now() - interval '168 hours') GROUP BY item_key
     ) AS s JOIN items i ON i.key = s.item_key ORDER BY s.score DESC, i.id LIMIT ${PAGE}`,
  );
}

async function refreshTimes(database: Database): Promise<number[]> {
  const standings = createPostgresStandings({ database });
  while ((await standings.refresh()).more);
  const times: number[] = [];
  for (let pass = 0; pass < 5; pass += 1) {
    await database.primary(
      (client) => client.$executeRaw`
        INSERT INTO touched (item_keys) SELECT array_agg(key) FROM (SELECT key FROM items ORDER BY random() LIMIT 2000) AS sample`,
    );
    times.push(await timed(1, () => standings.refresh()));
  }
  return times;
}

function ms(value: number): string {
  return `${value.toLocaleString('en', { maximumFractionDigits: value < 100 ? 2 : 0 })} ms`;
}
