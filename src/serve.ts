import cluster from 'node:cluster';
import { startWorker } from '../worker/start-worker.ts';
import { startApi } from './api/start-api.ts';
import { apiOptions, configOrExit, workerOptions, type Config } from './config.ts';
import { seedDemo } from './demo/seed-demo.ts';
import type { Ports, ReadinessProbe } from './ports.ts';
import { banner } from './runtime/banner.ts';
import { createDrainList, type DrainList } from './runtime/drain-list.ts';
import { createLogger, type Logger } from './runtime/logger.ts';
import { createMetricsServer } from './runtime/metrics-server.ts';
import { createMetrics, type Metrics } from './runtime/metrics.ts';
import { createReadiness, type Readiness } from './runtime/readiness.ts';
import { exitOnSignal } from './runtime/shutdown.ts';
import { joinCluster, startCluster } from './run-cluster.ts';
import { createPorts, openPostgres } from './wiring.ts';

const DEFAULT_METRICS_PORT = 9464;
const WORKER_METRICS_PORT = 9465;

export interface ServeOptions {
  /** The worker in this process, and a demo catalogue on the first start, when Postgres is the embedded one. */
  readonly allInOne: boolean;
}

interface Process {
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly started: DrainList;
}

/** The API in this process or, with WEB_CONCURRENCY over 1, in several that share its port, until a signal ends it. */
export async function serve({ allInOne }: ServeOptions): Promise<void> {
  const config = configOrExit({ servesApi: true });
  const logger = createLogger(config.logLevel, 'api');
  const process: Process = { config, logger, metrics: createMetrics(), started: createDrainList(logger) };
  try {
    if (cluster.isWorker) await serveAsChild(process);
    else await serveAsParent(process, allInOne && config.database.url === null);
  } catch (error) {
    await process.started.drain();
    throw error;
  }
  exitOnSignal({
    logger,
    timeoutMs: config.shutdownTimeoutMs,
    drain: () => process.started.drain(),
    // Ctrl-C reaches the whole group; the parent tells its children itself.
    ...(cluster.isWorker ? { signals: ['SIGTERM'] } : {}),
  });
}

async function serveAsChild({ config, logger, metrics, started }: Process): Promise<void> {
  globalThis.process.on('SIGINT', () => undefined);
  const ports = await createPorts(config, { logger, metrics, role: 'command' });
  started.add('ports', () => ports.close());
  const readiness = createReadiness({ checks: ports.probes });
  const api = await startApi(ports, { ...apiOptions(config), readiness, logger, metrics });
  started.add('api', () => api.drain(config.shutdownTimeoutMs * 0.6));
  joinCluster(metrics.registry);
}

async function serveAsParent(process: Process, allInOne: boolean): Promise<void> {
  const { config, logger, metrics, started } = process;
  const postgres = await openPostgres(config, { role: 'server', logger });
  started.add('Postgres', () => postgres.stop());
  const opened: Config = { ...config, database: { ...config.database, url: postgres.url } };
  const processes = config.api.concurrency;
  const env: Record<string, string> = postgres.embedded ? { DATABASE_URL: postgres.url } : {};

  const checks: ReadinessProbe[] = [];
  const readiness = createReadiness({ checks });
  let port: number;
  let exposed: { metrics(): Promise<string> } = metrics.registry;
  // The last of ours to end: it tells of the draining.
  const registry = { contentType: metrics.registry.contentType, metrics: () => exposed.metrics() };
  const metricsServer = createMetricsServer({ registry, readiness, logger });
  started.add('metrics', () => metricsServer.close());

  const ports = processes === 1 || allInOne ? await createPorts(opened, { logger, metrics, role: 'server' }) : null;
  if (ports !== null) {
    started.add('ports', () => ports.close());
    checks.push(...ports.probes);
    if (allInOne) checks.push(await startWorkerBeside(process, ports));
  }
  if (processes === 1 && ports !== null) {
    const api = await startApi(ports, { ...apiOptions(config), readiness, logger, metrics });
    started.add('api', () => api.drain(config.shutdownTimeoutMs * 0.4));
    ({ port } = api);
  } else {
    const api = await startCluster({ processes, env, logger, timeoutMs: config.shutdownTimeoutMs * 0.8 });
    started.add('API processes', async () => {
      readiness.beginDraining();
      await api.drain();
    });
    checks.push({ name: 'API processes', required: true, check: async () => api.fault() });
    ({ port, metrics: exposed } = api);
  }
  const { host, metricsPort: wantedPort } = config;
  const { port: metricsPort } = await metricsServer.listen({ host, port: wantedPort ?? DEFAULT_METRICS_PORT });
  if (allInOne && processes > 1) await exposeWorker(process, readiness);
  const { ready, parts } = await readiness.report();
  if (!ready) logger.warn({ problems: parts.filter((part) => !part.ready) }, 'not ready yet');
  logger.info({ port, metricsPort }, 'running');
  if (config.production) return;
  const note = allInOne
    ? 'Worker   in this process, on the embedded Postgres'
    : 'Worker   none in this process: run `npm run worker` beside it';
  const facts = { host, port, metricsPort, sandbox: true, notes: [note] };
  globalThis.process.stdout.write(banner(facts));
}

/** Beside several API processes the worker has a port of its own, as it has alone. */
async function exposeWorker({ config, metrics, logger, started }: Process, readiness: Readiness): Promise<void> {
  const server = createMetricsServer({ registry: metrics.registry, readiness, logger });
  started.add('worker metrics', () => server.close());
  await server.listen({ host: config.host, port: config.metricsPort === null ? WORKER_METRICS_PORT : 0 });
}

async function startWorkerBeside({ config, logger, metrics, started }: Process, ports: Ports): Promise<ReadinessProbe> {
  const seeded = await seedDemo(ports);
  if (seeded !== null) logger.info(seeded, 'made a demo catalogue');
  const worker = await startWorker(ports, { ...workerOptions(config), logger, metrics });
  started.add('worker', () => worker.stop());
  return { name: 'worker', required: false, check: async () => worker.fault() };
}
