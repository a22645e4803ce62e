import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startProxy } from '../test/end-to-end/start-proxy.ts';
import { startRabbitmq } from '../test/servers/start-rabbitmq.ts';
import { startRedis } from '../test/servers/start-redis.ts';
import { quantile } from '../test/faults/quantile.ts';
import { testDirectory } from '../test/servers/test-run.ts';
import { ACCEPT, SECRET, viewerTokens } from './accept.ts';
import { fillStandings, QUERY } from './cached-read.ts';
import { pagesOf } from './capacity.ts';
import { figure, type Figure } from './figure.ts';
import { BENCH_ITEMS } from './generate-interactions.ts';
import type { OpenLoopPlan, Phase, PhaseResult, Window } from './open-loop.ts';
import { cpuSeconds, LOAD_CORE, pinRunning, SERVER_CORE } from './pin.ts';
import { createFilledCatalogue, startBenchPostgres } from './postgres.ts';
import { run, startOurs, type Program } from './program.ts';

const NAME = 'overload';
const TIMES_SATURATION = 5;
const CALM = 0.5;
const OVERLOAD_SECONDS = 15;
const WINDOW_MS = 250;
/** Well again: so many windows in a row in which so much of what was due was served. */
const WELL_WINDOWS = 4;
const WELL_SHARE = 0.99;
/** More than the load keeps busy while each refused one is left unread for a tenth of a second; nginx takes 4,096 a worker. */
const CONNECTIONS = 3_500;
const SATURATING = [64, 256];
const PROBE_EVERY_MS = 50;
/** As Kubernetes is told to wait in deploy/. */
const PROBE_TIMEOUT_MS = 3_000;

/**
 * One API process under five times what saturates it, asked itself and through nginx: what it still gets done, what a
 * refusal costs, how soon it is well.
 */
export async function overload(): Promise<Figure[]> {
  await using postgres = await startBenchPostgres();
  await using redis = await startRedis();
  await using rabbitmq = await startRabbitmq();
  // The load, and nginx with it, has the other core to itself: at the peak it needs little of it, under overload all.
  for (const server of [postgres.primary, redis, rabbitmq]) pinRunning(SERVER_CORE, server.pids());
  const url = await createFilledCatalogue(postgres, BENCH_ITEMS);
  await fillStandings(url);
  const env = { DATABASE_URL: url, REDIS_URL: redis.url, AMQP_URL: rabbitmq.url, AUTH_JWT_SECRET: SECRET };
  await using api = await startOurs('api', env, SERVER_CORE);
  const direct = await overloaded(api, api.url);
  await using nginx = await startProxy([api.url], { isExempt: true });
  pinRunning(LOAD_CORE, nginx.pids());
  const behind = await overloaded(api, nginx.url);
  return [
    ...direct.figures,
    direct.refusalCost,
    ...behind.figures.map((each) => ({ ...each, what: `behind nginx: ${each.what}` })),
  ];
}

/** `url`: where the load goes; the probes ask the API itself, as an orchestrator does. */
async function overloaded(api: Program, url: string): Promise<{ figures: Figure[]; refusalCost: Figure }> {
  const load = await createLoad(api.url, url);
  const cpu = watchCpu(api);
  const [, ...saturated] = await load(Math.max(...SATURATING), [
    { seconds: 5, perSecond: null, clients: Math.min(...SATURATING) },
    ...SATURATING.map((clients) => ({ seconds: 6, perSecond: null, clients })),
  ]);
  const peak = saturated.toSorted((a, b) => goodPerSecond(b) - goodPerSecond(a))[0];
  if (peak === undefined || peak.good === 0) throw new Error(`nothing was served:\n${JSON.stringify(saturated)}`);
  const rate = goodPerSecond(peak);

  await using probes = startProbes(api);
  const [before, over, after] = await load(CONNECTIONS, [
    { seconds: 3, perSecond: CALM * rate, clients: 0 },
    { seconds: OVERLOAD_SECONDS, perSecond: TIMES_SATURATION * rate, clients: 0 },
    { seconds: 10, perSecond: CALM * rate, clients: 0 },
  ]);
  cpu.stop();
  if (before === undefined || over === undefined || after === undefined) throw new Error('a phase is missing');
  const seen: Seen = { peak, over, after, cpuOf: cpu.within };
  return { figures: [...figuresOf(seen), ...probes.figures(over)], refusalCost: refusalCostOf(seen) };
}

interface Seen {
  readonly peak: PhaseResult;
  readonly over: PhaseResult;
  readonly after: PhaseResult;
  /** Seconds of CPU that the API had in a phase. */
  cpuOf(phase: PhaseResult): number;
}

function figuresOf({ peak, over, after, cpuOf }: Seen): Figure[] {
  const offered = over.sent / over.seconds;
  const times = (offered / goodPerSecond(peak)).toFixed(1);
  const busy = (phase: PhaseResult): number => (cpuOf(phase) / phase.seconds) * 100;
  const faults = [...Object.entries(over.faults), ...Object.entries(after.faults)];
  return [
    figure({
      name: NAME,
      what: `goodput at ${times} times saturation / peak`,
      values: [goodPerSecond(over) / goodPerSecond(peak)],
      bar: { atLeast: 0.9 },
      detail:
        `${whole(offered)} requests/s offered, ${whole(over.unsent / over.seconds)}/s more found no free connection of ` +
        `${whole(CONNECTIONS)}; ${whole(goodPerSecond(over))} / ${whole(goodPerSecond(peak))} served within 1 s, ` +
        `99th percentile ${whole(over.goodP99Ms)} / ${whole(peak.goodP99Ms)} ms; ${whole(over.late)} late; ` +
        `${whole(over.refused / over.seconds)} refused, 99th percentile ${whole(over.refusedP99Ms)} ms; ` +
        `server core busy ${whole(busy(over))} / ${whole(busy(peak))} %; ` +
        `the load itself late by up to ${whole(over.ownLagP99Ms)} / ${whole(peak.ownLagP99Ms)} ms`,
    }),
    figure({
      name: NAME,
      what: "goodput of each second of the API's CPU / at the peak",
      values: [over.good / cpuOf(over) / (peak.good / cpuOf(peak))],
      detail: 'the load, with nginx, has the other core',
    }),
    figure({
      name: NAME,
      what: 'requests neither served nor refused with a code and Retry-After',
      values: [faults.reduce((sum, [, count]) => sum + count, 0)],
      digits: 0,
      bar: { atMost: 0 },
      detail: faults.map(([what, count]) => `${what}: ${count}`).join(', '),
    }),
    figure({
      name: NAME,
      what: 'from the end of the overload until all is served again',
      values: [recoverySeconds(after.windows)],
      unit: ' s',
      bar: { atMost: 5 },
      detail: `at ${CALM} times saturation, ${after.refused} still refused`,
    }),
  ];
}

function refusalCostOf({ peak, over, cpuOf }: Seen): Figure {
  const onGood = (cpuOf(peak) / peak.good) * (over.good + over.late);
  const perRefusalMs = ((cpuOf(over) - onGood) / over.refused) * 1_000;
  return figure({
    name: NAME,
    what: "CPU of the API per refusal, less what the served ones' cost at the peak",
    values: [perRefusalMs],
    unit: ' ms',
    digits: 3,
    bar: { atMost: 1 },
    detail:
      `${whole(over.refused / over.seconds)} refusals/s, 99th percentile ${whole(over.refusedP99Ms)} ms; ` +
      `were all of its CPU the refusals': ${((cpuOf(over) / over.refused) * 1_000).toFixed(3)} ms`,
  });
}

const goodPerSecond = ({ good, seconds }: PhaseResult): number => good / seconds;
const whole = (value: number): string => Math.round(value).toLocaleString('en');

function recoverySeconds(windows: readonly Window[]): number {
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

const PROBES = ['/health/live', '/health/ready'];

/** Asks how the API is, as an orchestrator does, though far more often. */
function startProbes(api: Program) {
  const answers: { path: string; atMs: number; ms: number; ok: boolean }[] = [];
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
    figures: ({ startedAtMs, endedAtMs }: PhaseResult): Figure[] =>
      PROBES.map((path) => {
        const during = answers.filter((one) => one.path === path && one.atMs >= startedAtMs && one.atMs <= endedAtMs);
        const times = during.map(({ ms }) => ms);
        const failed = during.filter(({ ok }) => !ok).length;
        return figure({
          name: NAME,
          what: `${path} meanwhile, 99th percentile`,
          // One that was not answered well took for ever.
          values: [failed > 0 ? Number.POSITIVE_INFINITY : quantile(times, 0.99)],
          unit: ' ms',
          digits: 0,
          bar: { atMost: 1_000 },
          detail: `${during.length} probes, ${failed} of them failed`,
        });
      }),
    async [Symbol.asyncDispose]() {
      stopped = true;
      await running;
    },
  };
}
