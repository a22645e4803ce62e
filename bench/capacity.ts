import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { createPostgresRecorder } from '../src/adapters/postgres/postgres-recorder.ts';
import { createPostgresStandings } from '../src/adapters/postgres/postgres-standings.ts';
import { query } from '../test/servers/query.ts';
import { processTree } from '../test/servers/processes.ts';
import { startRabbitmq, type RabbitmqServer } from '../test/servers/start-rabbitmq.ts';
import { startRedis, type RedisServer } from '../test/servers/start-redis.ts';
import type { PostgresCluster } from '../test/servers/start-postgres.ts';
import { testDirectory } from '../test/servers/test-run.ts';
import { waitFor } from '../test/servers/wait-for.ts';
import { cursorsOf } from './ask.ts';
import { SECRET, writeScript } from './accept.ts';
import { fillStandings, QUERY } from './cached-read.ts';
import { SIZED_TABLES, type PartCosts, type RowBytes, type SizedTable, type UnitCosts } from './capacity-model.ts';
import { recordCosts } from './capacity-page.ts';
import { figure, type Figure } from './figure.ts';
import { BENCH_ITEMS, generateInteractions } from './generate-interactions.ts';
import { createCpuMeter } from './load/cpu-meter.ts';
import { SERVER_CORE } from './pin.ts';
import { createFilledCatalogue, openDatabase, startBenchPostgres } from './postgres.ts';
import { startOurs, type Program } from './program.ts';
import { BATCH, countRows, empty, fillQueue, QUEUE, ROWS } from './record.ts';
import { load, requireWrk } from './wrk.ts';

const SECONDS = 5;
const WARM_UP_SECONDS = 1;
const CONNECTIONS = 50;
/** So few that hardly two interactions share a message: the dearer way, and what a process at its planned load comes near to. */
const FEW_CONNECTIONS = 4;
/** Sizes of a page by which each cursor makes several pages that no cache knows. */
const FIRSTS = [16, 17, 18, 19, 20, 21, 22, 23, 24, 25];
const TOUCHED = 2_000;
const PASSES = 5;

interface Servers {
  readonly postgres: PostgresCluster;
  readonly redis: RedisServer;
  readonly rabbitmq: RabbitmqServer;
}

/** Measures what one read, one accept and one recorded interaction cost each part and what their rows take; keeps it for the page. */
export async function capacity(): Promise<Figure[]> {
  requireWrk();
  await using postgres = await startBenchPostgres();
  await using redis = await startRedis();
  await using rabbitmq = await startRabbitmq();
  const servers = { postgres, redis, rabbitmq };
  const loadBefore = loadavg()[0] ?? Number.NaN;
  const url = await createFilledCatalogue(postgres, BENCH_ITEMS);
  await fillStandings(url);

  const { interactionsPerMessage, ...cpu } = await requestCosts(servers, url);
  const worker = await drainCosts(servers, url);
  const recorder = await recorderCosts(servers, url);
  const perInteraction = async (table: SizedTable): Promise<number> => (await count(url, table)) / ROWS;
  const costs: UnitCosts = {
    measuredOn: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} cores, Node ${process.versions.node}`,
    loadBefore,
    // What the worker's queries cost while standings are kept fresh is not said twice: see standingsSecondsPerItem.
    cpuSeconds: { ...cpu, record: { ...worker, postgres: recorder.postgresSeconds } },
    interactionsPerMessage,
    bytesPerRow: await rowBytes(url),
    rowsPerInteraction: { people: await perInteraction('people'), reactions: await perInteraction('reactions') },
    walBytesPerInteraction: recorder.walBytes,
    standingsSecondsPerItem: await standingsSeconds(servers, url),
  };
  recordCosts(costs);
  return figuresOf(costs);
}

type RequestCosts = Omit<UnitCosts['cpuSeconds'], 'record'> & { readonly interactionsPerMessage: number };

async function requestCosts(servers: Servers, url: string): Promise<RequestCosts> {
  const { redis, rabbitmq } = servers;
  const env = { DATABASE_URL: url, REDIS_URL: redis.url, AMQP_URL: rabbitmq.url, AUTH_JWT_SECRET: SECRET };
  await using api = await startOurs('api', env, SERVER_CORE);
  const broker = await connect(rabbitmq.url);
  try {
    const channel = await broker.createChannel();
    const measure = async (script: string, connections = CONNECTIONS): Promise<{ costs: PartCosts; each: number }> => {
      await load(api, { seconds: WARM_UP_SECONDS, connections, script });
      await channel.purgeQueue(QUEUE);
      const spent = meter(servers, { api });
      const { requests } = await load(api, { seconds: SECONDS, connections, script });
      const costs = perOne(spent(), requests);
      const { messageCount } = await channel.purgeQueue(QUEUE);
      return { costs, each: requests / messageCount };
    };
    const cachedRead = await measure(postScript('cached', [{ query: QUERY }]));
    const uncachedRead = await measure(postScript('uncached', await pagesOf(api.url)));
    const writes = await writeScript();
    const acceptPacked = await measure(writes);
    const accept = await measure(writes, FEW_CONNECTIONS);
    return {
      cachedRead: cachedRead.costs,
      uncachedRead: uncachedRead.costs,
      accept: accept.costs,
      acceptPacked: acceptPacked.costs,
      interactionsPerMessage: acceptPacked.each,
    };
  } finally {
    await broker.close();
  }
}

/** POSTs the bodies one after the other, each once before the first comes again. */
function postScript(name: string, bodies: readonly object[]): string {
  const folder = testDirectory(name);
  const file = join(folder, 'bodies');
  writeFileSync(file, `${bodies.map((body) => JSON.stringify(body)).join('\n')}\n`);
  const script = join(folder, 'post.lua');
  writeFileSync(
    script,
    `local bodies = {}
for body in io.lines(${JSON.stringify(file)}) do bodies[#bodies + 1] = body end
local headers = { ["content-type"] = "application/json", accept = "application/json" }
local at = 0
function request()
  at = at % #bodies + 1
  return wrk.format("POST", "/graphql", headers, bodies[at])
end
`,
  );
  return script;
}

/** The same fields as the cached page, from every rank down to the depth of the standings. */
export async function pagesOf(url: string): Promise<object[]> {
  const cursors = await cursorsOf(url, 9);
  const fields = QUERY.slice(QUERY.indexOf('{', QUERY.indexOf('popularItems')));
  const text = `query Page($first: Int!, $after: String) { popularItems(first: $first, after: $after) ${fields}`;
  return FIRSTS.flatMap((first) => cursors.map((after) => ({ query: text, variables: { first, after } })));
}

/** The worker's share, from a full queue to the last commit and the last touched item. */
async function drainCosts(servers: Servers, url: string): Promise<PartCosts> {
  const { redis, rabbitmq } = servers;
  // What was accepted last came after the purge, or went to the outbox.
  await query(url, 'TRUNCATE outbox');
  const broker = await connect(rabbitmq.url);
  await (await broker.createChannel()).purgeQueue(QUEUE);
  await broker.close();
  await empty(url);
  await fillQueue(rabbitmq.url, 1);
  const env = { DATABASE_URL: url, REDIS_URL: redis.url, AMQP_URL: rabbitmq.url };
  await using worker = await startOurs('worker', env, null);
  const spent = meter(servers, { worker });
  await waitFor(
    'the worker to record all that waits',
    async () => (await countRows(url)) === ROWS && (await count(url, 'touched')) === 0,
    { deadlineMs: 240_000, everyMs: 500 },
  );
  return perOne(spent(), ROWS);
}

/** Postgres's share, without the standings: the recorder by itself, in batches of the worker's size. */
async function recorderCosts(servers: Servers, url: string): Promise<{ postgresSeconds: number; walBytes: number }> {
  await empty(url);
  const entries = generateInteractions(ROWS, 2).map((interaction) => ({
    interaction,
    body: Buffer.alloc(0),
    outboxSeq: null,
  }));
  const database = openDatabase(url);
  try {
    const recorder = createPostgresRecorder(database);
    const before = await walPosition(url);
    const spent = meter(servers, {});
    for (let at = 0; at < entries.length; at += BATCH) await recorder.record(entries.slice(at, at + BATCH));
    return { postgresSeconds: perOne(spent(), ROWS).postgres, walBytes: ((await walPosition(url)) - before) / ROWS };
  } finally {
    await database.close();
  }
}

/** Heap and indexes of all partitions by row, as they are after recording. */
async function rowBytes(url: string): Promise<Record<SizedTable, RowBytes>> {
  const sizes = new Map<SizedTable, RowBytes>();
  for (const table of SIZED_TABLES) {
    const rows = await count(url, table);
    const [size] = await query(
      url,
      `SELECT sum(pg_table_size(relid)) AS heap, sum(pg_indexes_size(relid)) AS indexes
       FROM (SELECT relid FROM pg_partition_tree($1::regclass) UNION SELECT $1::regclass) AS parts`,
      [table],
    );
    sizes.set(table, { heap: Number(size?.['heap']) / rows, indexes: Number(size?.['indexes']) / rows });
  }
  const of = (table: SizedTable): RowBytes => sizes.get(table) ?? { heap: Number.NaN, indexes: Number.NaN };
  return {
    interactions: of('interactions'),
    people: of('people'),
    reactions: of('reactions'),
    minutes: of('minutes'),
    hours: of('hours'),
    days: of('days'),
    totals: of('totals'),
  };
}

/** Of Postgres, for one touched item in all rankings and windows. */
async function standingsSeconds(servers: Servers, url: string): Promise<number> {
  const database = openDatabase(url);
  try {
    const standings = createPostgresStandings({ database });
    while ((await standings.refresh()).more);
    const spent = meter(servers, {});
    let touched = 0;
    for (let pass = 0; pass < PASSES; pass += 1) {
      await query(
        url,
        'INSERT INTO touched (item_keys) SELECT array_agg(key) FROM (SELECT key FROM items ORDER BY random() LIMIT $1) AS sample',
        [TOUCHED],
      );
      for (let more = true; more;) {
        const refreshed = await standings.refresh();
        touched += refreshed.touchedItems;
        more = refreshed.more;
      }
    }
    return perOne(spent(), touched).postgres;
  } finally {
    await database.close();
  }
}

/** Begins to count; the function tells the CPU seconds of each part since. */
function meter({ postgres, redis, rabbitmq }: Servers, ours: Readonly<Record<string, Program>>) {
  const pids: Readonly<Record<string, () => number[]>> = {
    postgres: () => postgres.primary.pids(),
    redis: () => redis.pids(),
    rabbitmq: () => rabbitmq.pids(),
    ...Object.fromEntries(Object.entries(ours).map(([part, { pid }]) => [part, () => processTree(pid)])),
  };
  const cpu = createCpuMeter(
    () => new Map(Object.entries(pids).flatMap(([part, list]) => list().map((pid) => [pid, part] as const))),
  );
  return () => cpu.read();
}

function perOne(spent: ReadonlyMap<string, number>, times: number): PartCosts {
  const of = (part: keyof PartCosts): number => (spent.get(part) ?? 0) / times;
  return {
    api: of('api'),
    worker: of('worker'),
    postgres: of('postgres'),
    rabbitmq: of('rabbitmq'),
    redis: of('redis'),
  };
}

function figuresOf({ cpuSeconds, bytesPerRow, standingsSecondsPerItem }: UnitCosts): Figure[] {
  const micro = (seconds: number): string => (seconds * 1e6).toFixed(1);
  const costs = Object.entries(cpuSeconds).map(([what, parts]) =>
    figure({
      name: 'capacity',
      what: `CPU of one ${what}, all parts`,
      values: [Object.values(parts).reduce((sum: number, one: number) => sum + one, 0) * 1e6],
      unit: ' µs',
      digits: 0,
      detail: Object.entries(parts)
        .map(([part, seconds]: [string, number]) => `${part} ${micro(seconds)}`)
        .join(', '),
    }),
  );
  return [
    ...costs,
    figure({
      name: 'capacity',
      what: 'a row of interactions',
      values: [bytesPerRow.interactions.heap + bytesPerRow.interactions.indexes],
      unit: ' bytes',
      digits: 0,
      detail: SIZED_TABLES.map((table) => {
        const { heap, indexes } = bytesPerRow[table];
        return `${table} ${(heap + indexes).toFixed(0)}`;
      }).join(', '),
    }),
    figure({
      name: 'capacity',
      what: 'standings, one touched item',
      values: [standingsSecondsPerItem * 1e6],
      unit: ' µs',
      digits: 0,
      detail: `${TOUCHED.toLocaleString('en')} a pass`,
    }),
  ];
}

async function count(url: string, table: SizedTable | 'touched'): Promise<number> {
  return Number((await query(url, `SELECT count(*) FROM ${table}`))[0]?.['count']);
}

async function walPosition(url: string): Promise<number> {
  return Number((await query(url, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS bytes"))[0]?.['bytes']);
}
