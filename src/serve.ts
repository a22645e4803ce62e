import cluster from 'node:cluster';
import { startWorker } from '../worker/start-worker.ts';
import { startApi, type RunningApi } from './api/start-api.ts';
import { joinCluster } from './cluster/join-cluster.ts';
import { startCluster, type ApiCluster } from './cluster/api-cluster.ts';
import { apiOptions, configOrExit, readConfig, workerOptions, type Config } from './config.ts';
import { seedDemo } from './demo/seed-demo.ts';
import type { Ports, ReadinessProbe } from './ports.ts';
import { banner } from './runtime/banner.ts';
import { createDrainList, type DrainList } from './runtime/drain-list.ts';
import type { Logger } from './runtime/logger.ts';
import { createMetricsServer } from './runtime/metrics-server.ts';
import { createMetrics, type Metrics } from './runtime/metrics.ts';
import { createReadiness, type Readiness, type ReadinessReport } from './runtime/readiness.ts';
import { exitOnSignal } from './runtime/shutdown.ts';
import type { Tracing } from './runtime/tracing.ts';
import { createPorts, openPostgres } from './wiring.ts';
import { createLogs } from './wiring-tracing.ts';

const DEFAULT_METRICS_PORT = 9464;
const WORKER_METRICS_PORT = 9465;
/** As long as a request may take; deploy/postgres says the same for APIs behind PgBouncer. */
const STATEMENT_TIMEOUT_MS = 10_000;
/**
 * Of the time that a drain may take, for answering what is in flight; the rest is for closing what that needs. A worker beside
 * records what it has in hand after it.
 */
const ANSWERING = { alone: 0.8, besideWorker: 0.4, child: 0.7, allChildren: 0.85 };

export interface ServeOptions {
  /** The worker in this process, and a demo catalogue on the first start, when Postgres is the embedded one. */
  readonly allInOne: boolean;
}

interface Process {
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
  readonly started: DrainList;
}

/** The API in this process or, with WEB_CONCURRENCY over 1, in several that share its port, until a signal ends it. */
export async function serve({ allInOne }: ServeOptions): Promise<void> {
  const config = configOrExit({ servesApi: true });
  const { logger, openTracing } = createLogs(config, 'api');
  const started = createDrainList(logger);
  let api: ApiCluster | null = null;
  // From the start: a signal that comes meanwhile must neither kill nor leave anything behind.
  const signals = exitOnSignal({
    logger,
    timeoutMs: config.shutdownTimeoutMs,
    drain: () => started.drain(),
    // Ctrl-C reaches the whole group; the parent tells its children itself.
    ...(cluster.isWorker ? { signals: ['SIGTERM'] } : {}),
    beforeForcedExit: () => api?.kill(),
    reload: () => cluster.isWorker || (api !== null && reload(api, logger)),
  });
  if (cluster.isWorker) process.on('SIGINT', () => undefined);
  try {
    const tracing = await openTracing();
    started.add('tracing', () => tracing.close());
    const ours: Process = { config, logger, metrics: createMetrics(), tracing, started };
    if (cluster.isWorker) await serveAsChild(ours);
    else api = await serveAsParent(ours, allInOne && config.database.url === null);
  } catch (error) {
    // What was being started met its own end.
    if (signals.isDraining()) return;
    await started.abandon();
    throw error;
  }
}

function reload(api: ApiCluster, logger: Logger): boolean {
  const parsed = readConfig({ servesApi: true });
  if (parsed.ok) void api.reload(Math.max(2, parsed.config.api.concurrency));
  else logger.error({ faults: parsed.faults }, 'not reloading: the configuration is wrong');
  return true;
}

async function serveAsChild({ config, logger, metrics, tracing, started }: Process): Promise<void> {
  const ports = await createPorts(config, {
    logger,
    metrics,
    tracing,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    role: 'command',
  });
  started.add('ports', () => ports.close());
  let api: RunningApi | null = null;
  const readiness = joinCluster({
    own: createReadiness({ checks: ports.probes }),
    metrics: metrics.registry,
    retire: async () => api?.handOver(config.shutdownTimeoutMs * ANSWERING.child),
  });
  api = await startApi(ports, { ...apiOptions(config), readiness, logger, metrics, tracing });
  started.add('api', async () => api.drain(config.shutdownTimeoutMs * ANSWERING.child));
}

/** Gives the processes, where they are several. */
async function serveAsParent(ours: Process, allInOne: boolean): Promise<ApiCluster | null> {
  const { config, logger, metrics, tracing, started } = ours;
  const postgres = await openPostgres(config, { role: 'server', logger });
  started.add('Postgres', () => postgres.stop());
  const opened: Config = { ...config, database: { ...config.database, url: postgres.url } };
  const processes = config.api.concurrency;
  // All processes share one address; a reload does not change it.
  const env: Record<string, string> = {
    HOST: config.host,
    ...(postgres.dataDir === null ? {} : { DATABASE_URL: postgres.url }),
  };

  const checks: ReadinessProbe[] = [];
  const readiness = createReadiness({ checks });
  let several: ApiCluster | null = null;
  // The last of ours to end: it tells of the draining.
  const metricsServer = createMetricsServer({
    registry: {
      contentType: metrics.registry.contentType,
      metrics: () => (several?.registry ?? metrics.registry).metrics(),
    },
    readiness: {
      report: async () => withGroup(await readiness.report(), await several?.report()),
      beginDraining: () => readiness.beginDraining(),
    },
    isLive: () => several?.isAlive() ?? true,
    logger,
  });
  started.add('metrics', () => metricsServer.close());

  // A worker beside has statements that may take their time.
  const limit = allInOne ? {} : { statementTimeoutMs: STATEMENT_TIMEOUT_MS };
  const ports =
    processes === 1 || allInOne
      ? await createPorts(opened, { logger, metrics, tracing, ...limit, role: 'server' })
      : null;
  if (ports !== null) {
    started.add('ports', () => ports.close());
    checks.push(...ports.probes);
    if (allInOne) checks.push(await startWorkerBeside(ours, ports, postgres.dataDir));
  }
  let port: number;
  if (processes === 1 && ports !== null) {
    const api = await startApi(ports, { ...apiOptions(config), readiness, logger, metrics, tracing });
    const share = allInOne ? ANSWERING.besideWorker : ANSWERING.alone;
    started.add('api', () => api.drain(config.shutdownTimeoutMs * share));
    ({ port } = api);
  } else {
    const api = await startCluster({
      processes,
      env,
      logger,
      metrics,
      timeoutMs: config.shutdownTimeoutMs * ANSWERING.allChildren,
    });
    started.add('API processes', async () => {
      readiness.beginDraining();
      await api.drain();
    });
    several = api;
    ({ port } = api);
  }
  const { host, metricsPort: wantedPort } = config;
  const { port: metricsPort } = await metricsServer.listen({ host, port: wantedPort ?? DEFAULT_METRICS_PORT });
  if (allInOne && processes > 1) await exposeWorker(ours, readiness);
  const { ready, parts } = withGroup(await readiness.report(), await several?.report());
  if (!ready) logger.warn({ problems: parts.filter((part) => !part.ready) }, 'not ready yet');
  logger.info({ port, metricsPort }, 'running');
  if (config.production) return several;
  const note = allInOne
    ? 'Worker   in this process, on the embedded Postgres'
    : 'Worker   none in this process: run `npm run worker` beside it';
  const facts = { host, port, metricsPort, sandbox: true, notes: [note] };
  process.stdout.write(banner(facts));
  return several;
}

/** What the parent sees of its own parts, and what the API processes say of theirs. */
function withGroup(own: ReadinessReport, group: ReadinessReport | undefined): ReadinessReport {
  if (group === undefined) return own;
  const others = own.parts.filter(({ name }) => group.parts.every((part) => part.name !== name));
  return {
    ready: own.ready && group.ready,
    draining: own.draining || group.draining,
    parts: [...group.parts, ...others],
  };
}

/** Beside several API processes the worker has a port of its own, as it has alone. */
async function exposeWorker({ config, metrics, logger, started }: Process, readiness: Readiness): Promise<void> {
  const server = createMetricsServer({ registry: metrics.registry, readiness, logger });
  started.add('worker metrics', () => server.close());
  await server.listen({ host: config.host, port: config.metricsPort === null ? WORKER_METRICS_PORT : 0 });
}

async function startWorkerBeside(
  { config, logger, metrics, tracing, started }: Process,
  ports: Ports,
  dataDir: string | null,
): Promise<ReadinessProbe> {
  const seeded = dataDir === null ? null : await seedDemo(ports, dataDir);
  if (seeded !== null) logger.info(seeded, 'made a demo catalogue');
  const worker = await startWorker(ports, { ...workerOptions(config), logger, metrics, tracing });
  started.add('worker', () => worker.stop());
  return { name: 'worker', required: false, check: async () => worker.fault() };
}
