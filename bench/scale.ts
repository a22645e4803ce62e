import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connectRabbitmqQueue } from '../src/adapters/rabbitmq/rabbitmq-queue.ts';
import { encodeMessage } from '../src/interactions/message.ts';
import { createLogger } from '../src/runtime/logger.ts';
import { startProxy } from '../test/end-to-end/start-proxy.ts';
import { query } from '../test/servers/query.ts';
import { startRabbitmq, type RabbitmqServer } from '../test/servers/start-rabbitmq.ts';
import { startRedis } from '../test/servers/start-redis.ts';
import type { PostgresCluster } from '../test/servers/start-postgres.ts';
import { resetStatementCounts, statementCounts } from '../test/servers/statement-counts.ts';
import { testDirectory } from '../test/servers/test-run.ts';
import { waitFor } from '../test/servers/wait-for.ts';
import { SECRET, writeScript } from './accept.ts';
import { commitRate } from './commit-rate.ts';
import { figure, type Figure } from './figure.ts';
import { BENCH_ITEMS, generateInteractions } from './generate-interactions.ts';
import { createCpuMeter, sumOf, type CpuMeter } from './load/cpu-meter.ts';
import { recountRollups } from './load/recount-rollups.ts';
import { createFilledCatalogue, startBenchPostgres } from './postgres.ts';
import { startOurs, type Program } from './program.ts';
import { requireWrk, wrkFigures } from './wrk.ts';

const MEMBERS = [1, 2, 4];
const PARTITIONS = 8;
const QUEUE = 'groundswell.interactions';
const ROWS = 60_000;
const SECONDS = 5;
/** For each API, so that every one is as well compiled as one alone, which answers as much as all of them. */
const WARM_UP_SECONDS = 4;
const CONNECTIONS = 64;
const PLUGINS = ['rabbitmq_consistent_hash_exchange'];

interface Step {
  readonly members: number;
  readonly perSecond: number;
  /** Of every process that took part, servers included. */
  readonly cpuSeconds: number;
  readonly done: number;
  readonly detail: string;
}

/** 1, 2 and 4 APIs behind nginx, and 1, 2 and 4 workers on a partitioned queue. Throws when an interaction is lost or doubled. */
export async function scale(): Promise<Figure[]> {
  requireWrk();
  await using postgres = await startBenchPostgres({ replicas: 2 });
  await using redis = await startRedis();
  await using rabbitmq = await startRabbitmq({ plugins: PLUGINS });
  const servers = { postgres, redisUrl: redis.url, rabbitmq };
  const parts = (): Map<number, string> =>
    new Map(
      [rabbitmq, redis, postgres.primary, ...postgres.replicas].flatMap((server) =>
        server.pids().map((pid) => [pid, 'servers'] as const),
      ),
    );

  const writes: Step[] = [];
  const reads: Step[] = [];
  const drains: Step[] = [];
  for (const members of MEMBERS) {
    const { write, read } = await loadApis(members, servers, parts);
    writes.push(write);
    reads.push(read);
  }
  for (const members of MEMBERS) drains.push(await drain(members, servers, parts));
  return [
    ...compared('APIs accepting', writes, 'requests'),
    ...compared('APIs reading past the caches', reads, 'requests'),
    ...compared('workers draining', drains, 'rows'),
  ];
}

interface Servers {
  readonly postgres: PostgresCluster;
  readonly redisUrl: string;
  readonly rabbitmq: RabbitmqServer;
}
type Parts = () => Map<number, string>;

async function loadApis(
  members: number,
  { postgres, redisUrl, rabbitmq }: Servers,
  parts: Parts,
): Promise<{ write: Step; read: Step }> {
  const url = await createFilledCatalogue(postgres, BENCH_ITEMS);
  const replicaUrls = postgres.replicas.map((replica) => replica.urlOf(new URL(url).pathname.slice(1)));
  const env = {
    DATABASE_URL: url,
    DATABASE_REPLICA_URLS: replicaUrls.join(','),
    REDIS_URL: redisUrl,
    AMQP_URL: rabbitmq.url,
    QUEUE_NAME: `${QUEUE}.apis-${members}`,
    QUEUE_PARTITIONS: String(PARTITIONS),
    AUTH_JWT_SECRET: SECRET,
  };
  await using apis = await startSeveral('api', members, env);
  await using nginx = await startProxy(
    apis.programs.map((api) => api.url),
    { isExempt: true },
  );
  const all: Parts = () => {
    const pids = parts();
    for (const { pid } of apis.programs) pids.set(pid, 'ours');
    for (const pid of nginx.pids()) pids.set(pid, 'ours');
    return pids;
  };
  const [writing, reading] = [await writeScript(), await readScript()];
  for (const script of [reading, writing]) await wrk(nginx.url, script, WARM_UP_SECONDS * members);
  const write = await underLoad(members, createCpuMeter(all), nginx.url, writing);

  for (const server of [url, ...replicaUrls]) await resetStatementCounts(server);
  const read = await underLoad(members, createCpuMeter(all), nginx.url, reading);
  const [onPrimary = 0, ...onReplicas] = await Promise.all([url, ...replicaUrls].map(countStatements));
  const total = onPrimary + onReplicas.reduce((sum, count) => sum + count, 0);
  const shares = onReplicas.map((count) => `${Math.round((100 * count) / total)} %`).join(' and ');
  return {
    write,
    read: {
      ...read,
      detail: `statements on the two replicas ${shares}, counted there, of ${total.toLocaleString('en')}`,
    },
  };
}

async function underLoad(members: number, meter: CpuMeter, url: string, script: string): Promise<Step> {
  const before = sumOf(meter.read());
  const { requests, perSecond, p99Ms } = await wrk(url, script, SECONDS);
  const cpuSeconds = sumOf(meter.read()) - before;
  return { members, perSecond, cpuSeconds, done: requests, detail: `99th percentile ${Math.round(p99Ms)} ms` };
}

async function wrk(url: string, script: string, seconds: number) {
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '--latency', '--timeout', '15s', '-s', script, url];
  const { stdout } = await promisify(execFile)('wrk', args);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`the load met errors:\n${stdout}`);
  return wrkFigures(stdout);
}

/** Counts of one item of many: mostly in no cache. */
async function readScript(): Promise<string> {
  const script = join(testDirectory('scale'), 'read.lua');
  const document = 'query Item($id: ID!) { item(id: $id) { title counts(window: WEEK) { type count } } }';
  writeFileSync(
    script,
    `local body = [[{"query":${JSON.stringify(document)},"variables":{"id":"item-%d"}}]]
local headers = { ["content-type"] = "application/json" }
math.randomseed(os.time())
function request() return wrk.format("POST", "/graphql", headers, string.format(body, math.random(${BENCH_ITEMS}))) end
`,
  );
  return script;
}

/** What reads the tables of items and counts; not the probes. */
async function countStatements(url: string): Promise<number> {
  const counts = await statementCounts(url);
  return counts.reduce(
    (sum, { query: text, calls }) => (/\b(hours|days|totals|items)\b/.test(text) ? sum + calls : sum),
    0,
  );
}

async function drain(members: number, { postgres, redisUrl, rabbitmq }: Servers, parts: Parts): Promise<Step> {
  const url = await createFilledCatalogue(postgres, BENCH_ITEMS);
  const queueName = `${QUEUE}.workers-${members}`;
  const bodies = generateInteractions(ROWS, members).map(encodeMessage);
  // One in a hundred twice, as after a lost confirm.
  bodies.push(...bodies.filter((_, index) => index % 100 === 0));
  const env = {
    DATABASE_URL: url,
    REDIS_URL: redisUrl,
    AMQP_URL: rabbitmq.url,
    QUEUE_NAME: queueName,
    QUEUE_PARTITIONS: String(PARTITIONS),
    // A partition gets its part of it.
    QUEUE_PREFETCH: '32000',
  };
  await using workers = await startSeveral('worker', members, env);
  const queue = await connectRabbitmqQueue({
    urls: [rabbitmq.url],
    queueName,
    partitions: PARTITIONS,
    deadlineMs: 60_000,
    maxInFlight: 4_000,
    logger: createLogger('silent', 'bench'),
  });
  await waitFor('the queue', () => queue.fault() === null);
  const meter = createCpuMeter(
    () => new Map([...parts(), ...workers.programs.map(({ pid }) => [pid, 'ours'] as const)]),
  );
  const before = sumOf(meter.read());
  const publishing: Promise<void>[] = [];
  for (let at = 0; at < bodies.length; at += 1_000) publishing.push(queue.publish(bodies.slice(at, at + 1_000)));
  await Promise.all(publishing);
  await queue.close();
  await waitFor('the workers to drain the queue', async () => (await countRows(url)) === ROWS, {
    deadlineMs: 120_000,
    everyMs: 300,
  });
  const cpuSeconds = sumOf(meter.read()) - before;
  const differences = await recountRollups(url);
  if (differences.length > 0)
    throw new Error(`${members} workers counted wrongly: ${differences.slice(0, 3).join('; ')}`);
  const { perSecond } = await commitRate(url, 'interactions');
  return { members, perSecond, cpuSeconds, done: ROWS, detail: 'none lost or doubled' };
}

async function countRows(url: string): Promise<number> {
  return Number((await query(url, 'SELECT count(*) FROM interactions'))[0]?.['count']);
}

/** The ratio to one alone: by the clock, and by the CPU time of all that took part. */
function compared(what: string, steps: readonly Step[], unit: string): Figure[] {
  const [one] = steps;
  return steps.flatMap((step) => {
    if (one === undefined) return [];
    const efficiency = step.done / step.cpuSeconds / (one.done / one.cpuSeconds);
    return figure({
      name: 'scale',
      what: `${step.members} ${what} / 1`,
      values: [step.perSecond / one.perSecond],
      detail: `${Math.round(step.perSecond).toLocaleString('en')} ${unit}/s; CPU ${step.cpuSeconds.toFixed(1)} s, per CPU second ${efficiency.toFixed(2)} of 1 alone; ${step.detail}`,
    });
  });
}

async function startSeveral(
  name: 'api' | 'worker',
  count: number,
  env: Readonly<Record<string, string>>,
): Promise<AsyncDisposable & { readonly programs: readonly Program[] }> {
  const programs = await Promise.all(Array.from({ length: count }, () => startOurs(name, env, null)));
  return {
    programs,
    async [Symbol.asyncDispose]() {
      for (const program of programs) await program[Symbol.asyncDispose]();
    },
  };
}
