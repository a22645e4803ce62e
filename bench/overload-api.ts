import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startProxy } from '../test/end-to-end/start-proxy.ts';
import { startRabbitmq } from '../test/servers/start-rabbitmq.ts';
import { startRedis } from '../test/servers/start-redis.ts';
import { testDirectory } from '../test/servers/test-run.ts';
import { ACCEPT, SECRET, viewerTokens } from './accept.ts';
import { fillStandings, QUERY } from './cached-read.ts';
import { pagesOf } from './capacity.ts';
import { BENCH_ITEMS } from './generate-interactions.ts';
import type { OpenLoopPlan, Phase, PhaseResult, Window } from './open-loop.ts';
import { cpuSeconds, LOAD_CORE, pinRunning, SERVER_CORE } from './pin.ts';
import { createFilledCatalogue, startBenchPostgres } from './postgres.ts';
import { run, startOurs, type Program } from './program.ts';

const TIMES_SATURATION = 5;
/** Of saturation, before and after. */
export const CALM = 0.5;
const WINDOW_MS = 250;
/** Well again: so many windows in a row in which so much of what was due was served. */
const WELL_WINDOWS = 4;
const WELL_SHARE = 0.99;
/** More than the load keeps busy while each refused one is left unread for a tenth of a second; nginx takes 4,096 a worker. */
export const CONNECTIONS = 3_500;
const SATURATING = [64, 256];
const PROBE_EVERY_MS = 50;
/** As Kubernetes is told to wait in deploy/. */
const PROBE_TIMEOUT_MS = 3_000;
export const PROBES = ['/health/live', '/health/ready'];

/** How long each phase lasts. */
export interface OverloadSeconds {
  readonly warmUp: number;
  /** With each number of clients that saturate it. */
  readonly saturated: number;
  readonly overload: number;
  readonly after: number;
}

export interface Probe {
  readonly path: string;
  readonly atMs: number;
  readonly ms: number;
  readonly ok: boolean;
}

/** What was seen of an API process under more than it can answer. */
export interface Overloaded {
  readonly peak: PhaseResult;
  readonly over: PhaseResult;
  readonly after: PhaseResult;
  /** During `over`. */
  readonly probes: readonly Probe[];
  /** Seconds of CPU that the API had in a phase. */
  cpuOf(phase: PhaseResult): number;
}

/** One API process under five times what saturates it: asked itself, then through nginx. */
export async function overloadApi(seconds: OverloadSeconds): Promise<{ direct: Overloaded; behindNginx: Overloaded }> {
  await using postgres = await startBenchPostgres();
  await using redis = await startRedis();
  await using rabbitmq = await startRabbitmq();
  // The load, and nginx with it, has the other core to itself: at the peak it needs little of it, under overload all.
  for (const server of [postgres.primary, redis, rabbitmq]) pinRunning(SERVER_CORE, server.pids());
  const url = await createFilledCatalogue(postgres, BENCH_ITEMS);
  await fillStandings(url);
  const env = { DATABASE_URL: url, REDIS_URL: redis.url, AMQP_URL: rabbitmq.url, AUTH_JWT_SECRET: SECRET };
  await using api = await startOurs('api', env, SERVER_CORE);
  const direct = await overloadAt(api, api.url, seconds);
  await using nginx = await startProxy([api.url], { isExempt: true });
  pinRunning(LOAD_CORE, nginx.pids());
  return { direct, behindNginx: await overloadAt(api, nginx.url, seconds) };
}

/** `url`: where the load goes; the probes ask the API itself, as an orchestrator does. */
async function overloadAt(api: Program, url: string, seconds: OverloadSeconds): Promise<Overloaded> {
  const load = await createLoad(api.url, url);
  const cpu = watchCpu(api);
  const [, ...saturated] = await load(Math.max(...SATURATING), [
    { seconds: seconds.warmUp, perSecond: null, clients: Math.min(...SATURATING) },
    ...SATURATING.map((clients) => ({ seconds: seconds.saturated, perSecond: null, clients })),
  ]);
  const peak = saturated.toSorted((a, b) => goodPerSecond(b) - goodPerSecond(a))[0];
  if (peak === undefined || peak.good === 0) throw new Error(`nothing was served:\n${JSON.stringify(saturated)}`);
  const rate = goodPerSecond(peak);

  await using probes = startProbes(api);
  const [before, over, after] = await load(CONNECTIONS, [
    { seconds: 3, perSecond: CALM * rate, clients: 0 },
    { seconds: seconds.overload, perSecond: TIMES_SATURATION * rate, clients: 0 },
    { seconds: seconds.after, perSecond: CALM * rate, clients: 0 },
  ]);
  cpu.stop();
  if (before === undefined || over === undefined || after === undefined) throw new Error('a phase is missing');
  return { peak, over, after, probes: probes.within(over), cpuOf: cpu.within };
}

export const goodPerSecond = ({ good, seconds }: PhaseResult): number => good / seconds;

/** What was neither served nor refused with a code and `Retry-After`: how often each. */
export function faultsOf({ over, after }: Overloaded): [string, number][] {
  return [...Object.entries(over.faults), ...Object.entries(after.faults)];
}

/** Of each, less what the served ones cost at the peak. */
export function cpuSecondsPerRefusal({ peak, over, cpuOf }: Overloaded): number {
  const onGood = (cpuOf(peak) / peak.good) * (over.good + over.late);
  return (cpuOf(over) - onGood) / over.refused;
}

/** From the end of the overload; Infinity: not while it was watched. */
export function recoverySeconds({ after: { windows } }: Overloaded): number {
  const isWell = ({ due, good }: Window): boolean => good >= due * WELL_SHARE;
  const first = windows.findIndex((_, at) => {
    const next = windows.slice(at, at + WELL_WINDOWS);
    return next.length === WELL_WINDOWS && next.every(isWell);
  });
  return first === -1 ? Number.POSITIVE_INFINITY : (first * WINDOW_MS) / 1_000;
}

/** Runs phases of load, in a process of their own on the other core. */
async function createLoad(apiUrl: string, url: string) {
  const folder = testDirectory('overload');
  const resultFile = join(folder, 'result.json');
  const planFile = join(folder, 'plan.json');
  const computedBodies = (await pagesOf(apiUrl)).map((body) => JSON.stringify(body));
  const common = {
    port: Number(new URL(url).port),
    tokens: await viewerTokens(),
    items: BENCH_ITEMS,
    acceptText: ACCEPT,
    cachedBody: JSON.stringify({ operationName: 'PopularItems', query: QUERY }),
    computedBodies,
    windowMs: WINDOW_MS,
    resultFile,
  };
  return async (connections: number, phases: readonly Phase[]): Promise<PhaseResult[]> => {
    const plan: OpenLoopPlan = { ...common, connections, phases };
    writeFileSync(planFile, JSON.stringify(plan));
    await run(['--import', 'tsx', 'bench/open-loop.ts', planFile], {}, LOAD_CORE);
    return JSON.parse(readFileSync(resultFile, 'utf8'));
  };
}

function watchCpu(api: Program) {
  const seen: { atMs: number; cpu: number }[] = [];
  const timer = setInterval(() => seen.push({ atMs: Date.now(), cpu: cpuSeconds(api.pid) }), 100);
  return {
    within({ startedAtMs, endedAtMs }: PhaseResult): number {
      const at = (ms: number): number => seen.find(({ atMs }) => atMs >= ms)?.cpu ?? Number.NaN;
      return at(endedAtMs) - at(startedAtMs);
    },
    stop: () => clearInterval(timer),
  };
}

/** Asks how the API is, as an orchestrator does, though far more often. */
function startProbes(api: Program) {
  const answers: Probe[] = [];
  let stopped = false;

  async function probe(path: string): Promise<void> {
    while (!stopped) {
      const atMs = Date.now();
      const startedAt = performance.now();
      const ok = await fetch(api.url + path, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) }).then(
        async (response) => (await response.arrayBuffer(), response.ok),
        () => false,
      );
      answers.push({ path, atMs, ms: performance.now() - startedAt, ok });
      await new Promise((resolve) => setTimeout(resolve, PROBE_EVERY_MS));
    }
  }

  const running = Promise.all(PROBES.map(probe));
  return {
    within: ({ startedAtMs, endedAtMs }: PhaseResult): Probe[] =>
      answers.filter(({ atMs }) => atMs >= startedAtMs && atMs <= endedAtMs),
    async [Symbol.asyncDispose]() {
      stopped = true;
      await running;
    },
  };
}
