import cluster, { type Worker as Child } from 'node:cluster';
import { join } from 'node:path';
import { AggregatorRegistry, type PrometheusContentType, type Registry } from 'prom-client';
import type { Logger } from './runtime/logger.ts';
import { packageRoot } from './runtime/package-root.ts';

const FIRST_RESTART_MS = 200;
const LONGEST_RESTART_MS = 10_000;
/** Whoever served so long and then crashed comes back at once. */
const SETTLED_AFTER_MS = 30_000;

export interface ClusterOptions {
  readonly processes: number;
  /** On top of our own environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly logger: Logger;
  /** So long after SIGTERM the processes are killed. */
  readonly timeoutMs: number;
}

export interface ApiCluster {
  /** Null while one of them listens: the others are being started again. */
  fault(): string | null;
  /** The port they share; the system's choice when 0 was asked for. */
  readonly port: number;
  /** Of all processes together. */
  readonly metrics: { readonly contentType: string; metrics(): Promise<string> };
  /** Each answers what it has in flight. */
  drain(): Promise<void>;
}

/** For a forked process: its parent asks it for its share of the metrics. */
export function joinCluster(metrics: Registry): AggregatorRegistry<PrometheusContentType> {
  AggregatorRegistry.setRegistries(metrics);
  return new AggregatorRegistry();
}

/** The first process did not start; it has said why on stderr. */
export class ClusterStartError extends Error {
  readonly code = 'CLUSTER_START_FAILED';
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('the API process did not start');
    this.name = 'ClusterStartError';
    this.exitCode = exitCode;
  }
}

/** Forks API processes that share one port, the first one alone: what keeps it from starting is said once. */
export async function startCluster(options: ClusterOptions): Promise<ApiCluster> {
  const { processes, env, logger, timeoutMs } = options;
  const aggregator = new AggregatorRegistry();
  const listening = new Set<Child>();
  const restarts = new Set<NodeJS.Timeout>();
  let draining = false;

  cluster.setupPrimary({ exec: join(packageRoot(), 'scripts', 'launch.mjs'), args: ['api'] });

  function fork(attempt: number): Child {
    const child = cluster.fork(env);
    const startedMs = performance.now();
    child.on('listening', () => void listening.add(child));
    child.on('exit', (exitCode, signal) => {
      listening.delete(child);
      if (draining || (attempt === 0 && listening.size === 0 && !started)) return;
      const next = performance.now() - startedMs > SETTLED_AFTER_MS ? 1 : attempt + 1;
      const delayMs = Math.min(LONGEST_RESTART_MS, FIRST_RESTART_MS * 2 ** (next - 1));
      logger.error({ exitCode, signal, delayMs }, 'an API process ended: starting another');
      const timer = setTimeout(() => {
        restarts.delete(timer);
        fork(next);
      }, delayMs);
      restarts.add(timer);
    });
    return child;
  }

  let started = false;
  const port = await new Promise<number>((resolve, reject) => {
    const first = fork(0);
    first.once('listening', (address) => resolve(address.port));
    first.once('exit', (exitCode) => reject(new ClusterStartError(exitCode ?? 1)));
  });
  started = true;
  for (let forked = 1; forked < processes; forked += 1) fork(0);

  return {
    port,
    fault: () => (listening.size > 0 ? null : 'no process listens'),
    metrics: { contentType: aggregator.contentType, metrics: () => aggregator.clusterMetrics() },
    async drain() {
      draining = true;
      for (const timer of restarts) clearTimeout(timer);
      const children = Object.values(cluster.workers ?? {}).flatMap((child) => child ?? []);
      await Promise.all(children.map((child) => endChild(child, timeoutMs)));
    },
  };
}

function endChild(child: Child, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    if (child.isDead()) return resolve();
    const timer = setTimeout(() => child.process.kill('SIGKILL'), timeoutMs);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.process.kill('SIGTERM');
  });
}
