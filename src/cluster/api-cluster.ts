import cluster from 'node:cluster';
import { join } from 'node:path';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { packageRoot } from '../runtime/package-root.ts';
import type { ReadinessReport } from '../runtime/readiness.ts';
import { createGroupMetrics } from './group-metrics.ts';
import { groupReadiness } from './group-readiness.ts';
import { forkMember, type Member } from './member.ts';

const FIRST_RESTART_MS = 200;
const LONGEST_RESTART_MS = 10_000;
/** Whoever served so long and then crashed comes back at once. */
const SETTLED_AFTER_MS = 30_000;
/** A process that says nothing for so long hangs; no collection of garbage takes as much. */
const SILENT_AFTER_MS = 30_000;
const WATCH_EVERY_MS = 1_000;
/** At a reload. Postgres and RabbitMQ have been reached by then, or the old processes go on. */
const READY_WITHIN_MS = 60_000;
/** Callers within it share one answer: the probe is public. */
const REPORT_HOLD_MS = 250;

export interface ClusterOptions {
  readonly processes: number;
  /** On top of our own environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'registry' | 'apiProcesses' | 'apiProcessExits'>;
  /** So long after SIGTERM the processes are killed. */
  readonly timeoutMs: number;
}

export interface ApiCluster {
  /** The port they share; the system's choice when 0 was asked for. */
  readonly port: number;
  isAlive(): boolean;
  /** Of all processes together. */
  report(): Promise<ReadinessReport>;
  /** Of all processes together, those that have ended included. */
  readonly registry: { readonly contentType: string; metrics(): Promise<string> };
  /**
   * One process after the other is replaced by one of the code, files and configuration of now: a new one is ready
   * before an old one goes. When a new one does not become ready, the old ones that are left go on. Never rejects.
   */
  reload(processes: number): Promise<void>;
  /** Each answers what it has in flight. Rejects when one did not end well. */
  drain(): Promise<void>;
  /** Ends all at once. */
  kill(): void;
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
  const { logger, timeoutMs, metrics } = options;
  const group = createGroupMetrics();
  const members = new Set<Member>();
  /** Those that are to end; nobody takes their place. */
  const leaving = new Set<Member>();
  const restarts = new Set<NodeJS.Timeout>();
  let env = options.env;
  let wanted = options.processes;
  let draining = false;
  let reloading: Promise<void> | null = null;
  let reloadAgain = false;
  let report: Promise<ReadinessReport> | null = null;
  let reportedMs = -Infinity;

  cluster.setupPrimary({ exec: join(packageRoot(), 'scripts', 'launch.mjs'), args: ['api'] });

  const groupReport = async (): Promise<ReadinessReport> => {
    if (report === null || performance.now() - reportedMs > REPORT_HOLD_MS) {
      reportedMs = performance.now();
      const asked = [...members].filter((member) => member.listens() && !leaving.has(member));
      report = Promise.all(asked.map((member) => member.report())).then((reports) =>
        groupReadiness(
          reports.flatMap((found) => found ?? []),
          { wanted, draining },
        ),
      );
    }
    return { ...(await report), draining };
  };

  function fork(): Member {
    const member = forkMember(env, { 'group readiness': groupReport });
    members.add(member);
    void member.exited.then(() => {
      members.delete(member);
      group.ended(member.id);
    });
    return member;
  }

  /** Whoever ends without being told to is replaced, later each time it ends soon. */
  function keep(member: Member, attempt: number): void {
    void member.exited.then(({ exitCode, signal }) => {
      if (draining || leaving.delete(member)) return;
      metrics.apiProcessExits.inc();
      const next = performance.now() - member.startedMs > SETTLED_AFTER_MS ? 1 : attempt + 1;
      const delayMs = Math.min(LONGEST_RESTART_MS, FIRST_RESTART_MS * 2 ** (next - 1));
      logger.error({ child: member.pid, exitCode, signal, delayMs }, 'an API process ended: starting another');
      const timer = setTimeout(() => {
        restarts.delete(timer);
        if (staying() < wanted) keep(fork(), next);
      }, delayMs);
      restarts.add(timer);
    });
  }

  const staying = (): number => [...members].filter((member) => !leaving.has(member)).length;

  function fill(): void {
    while (!draining && staying() + restarts.size < wanted) keep(fork(), 0);
  }

  async function retire(member: Member): Promise<void> {
    leaving.add(member);
    await member.retire(timeoutMs, (metrics) => group.update(member.id, metrics));
  }

  /** False when it stopped on the way. */
  async function replaceAll(): Promise<boolean> {
    for (const timer of restarts) clearTimeout(timer);
    restarts.clear();
    const old = [...members];
    for (let turn = 0; turn < Math.max(wanted, old.length) && !draining; turn += 1) {
      const leaver = old[turn];
      // It ended by itself, and was replaced.
      if (leaver !== undefined && !members.has(leaver) && staying() >= wanted) continue;
      if (turn < wanted) {
        const fresh = fork();
        leaving.add(fresh);
        const isReady = await fresh.becomesReady(READY_WITHIN_MS);
        if (draining) return false;
        if (!isReady) {
          await fresh.end(timeoutMs);
          leaving.delete(fresh);
          return false;
        }
        leaving.delete(fresh);
        keep(fresh, 0);
        logger.info({ child: fresh.pid, inPlaceOf: leaver?.pid }, 'a new API process is ready');
      }
      if (leaver !== undefined && members.has(leaver)) await retire(leaver);
    }
    return true;
  }

  const watch = setInterval(() => {
    for (const member of members) {
      if (!member.listens() || performance.now() - member.aliveMs() < SILENT_AFTER_MS) continue;
      logger.error({ child: member.pid, silentAfterMs: SILENT_AFTER_MS }, 'an API process hangs: ending it');
      member.kill();
    }
    metrics.apiProcesses.set({ state: 'wanted' }, wanted);
    metrics.apiProcesses.set({ state: 'listening' }, [...members].filter((member) => member.listens()).length);
  }, WATCH_EVERY_MS);
  watch.unref();

  const first = fork();
  const port = await Promise.race([
    first.listening,
    first.exited.then(({ exitCode }) => Promise.reject(new ClusterStartError(exitCode ?? 1))),
  ]);
  env = { ...env, PORT: String(port) };
  keep(first, 0);
  fill();

  return {
    port,
    isAlive: () => [...members].some((member) => member.listens()),
    report: groupReport,
    registry: {
      contentType: metrics.registry.contentType,
      async metrics() {
        const asked = [...members].filter((member) => member.listens());
        await Promise.all(
          asked.map(async (member) => group.update(member.id, await member.metrics().catch(() => undefined))),
        );
        // Only what the parent alone knows; the worker beside it, where there is one, has a port of its own.
        const started = await metrics.registry.getSingleMetric('process_start_time_seconds')?.get();
        const own = [await metrics.apiProcesses.get(), await metrics.apiProcessExits.get()];
        return group.text([...own, { ...started, aggregator: 'first' }]);
      },
    },
    async reload(processes) {
      wanted = processes;
      reloadAgain = reloading !== null;
      reloading ??= reloadUntilDone();
      await reloading;
    },
    async drain() {
      draining = true;
      clearInterval(watch);
      for (const timer of restarts) clearTimeout(timer);
      const ended = await Promise.all(
        [...members].map(async (member) => {
          await member.end(timeoutMs);
          return member.exited;
        }),
      );
      // One that was only starting has nothing to end, and dies of the signal.
      const failed = ended.filter(({ exitCode, signal }) => exitCode !== 0 && signal !== 'SIGTERM').length;
      if (failed > 0) throw new Error(`${failed} API processes did not end well`);
    },
    kill() {
      for (const member of members) member.kill();
    },
  };

  async function reloadUntilDone(): Promise<void> {
    do {
      reloadAgain = false;
      const startMs = performance.now();
      logger.info({ processes: wanted }, 'reloading: one API process after the other');
      const isDone = await replaceAll();
      fill();
      const seconds = Math.round(performance.now() - startMs) / 1_000;
      if (isDone) logger.info({ processes: wanted, seconds }, 'reloaded');
      else if (!draining)
        logger.error({ seconds }, 'reload stopped: a new API process did not become ready; the old ones go on');
    } while (reloadAgain && !draining);
    reloading = null;
  }
}
