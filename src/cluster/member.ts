import cluster, { type Worker as Child } from 'node:cluster';
import { setTimeout as delay } from 'node:timers/promises';
import { withDeadline } from '../runtime/deadline.ts';
import type { ReadinessReport } from '../runtime/readiness.ts';
import { createCalls } from './calls.ts';
import { parseReport } from './group-readiness.ts';

/** Over what its parts are given to say how they are (2 s). */
const REPORT_DEADLINE_MS = 2_500;
const METRICS_DEADLINE_MS = 1_000;
const READY_POLL_MS = 50;

/** One API process, as its parent knows it. */
export interface Member {
  readonly id: number;
  readonly pid: number | undefined;
  readonly startedMs: number;
  /** When it last showed that its event loop turns. */
  aliveMs(): number;
  listens(): boolean;
  /** Resolves to the port; never, when the process ends before. */
  readonly listening: Promise<number>;
  readonly exited: Promise<{ readonly exitCode: number | null; readonly signal: string | null }>;
  /** Undefined when it does not answer in time. */
  report(): Promise<ReadinessReport | undefined>;
  metrics(): Promise<unknown>;
  /** False when it ended, or was not ready within `deadlineMs`. */
  becomesReady(deadlineMs: number): Promise<boolean>;
  /** It leaves the port to the others, answers what it has, tells its last metrics, and ends. Killed after `deadlineMs`. */
  retire(deadlineMs: number, tell: (metrics: unknown) => void): Promise<void>;
  /** SIGTERM, and SIGKILL after `deadlineMs`. */
  end(deadlineMs: number): Promise<void>;
  kill(): void;
}

export function forkMember(
  env: Readonly<Record<string, string>>,
  answers: Readonly<Record<string, () => Promise<unknown>>>,
): Member {
  const child: Child = cluster.fork(env);
  const startedMs = performance.now();
  let aliveMs = startedMs;
  let isListening = false;
  let hasExited = false;
  const exited: Member['exited'] = new Promise((resolve) => {
    child.once('exit', (exitCode: number | null, signal: string | null) => {
      hasExited = true;
      resolve({ exitCode, signal });
    });
  });
  const listening = new Promise<number>((resolve) => {
    child.once('listening', ({ port }) => {
      isListening = true;
      resolve(port);
    });
  });
  const calls = createCalls(
    {
      send(message) {
        if (!child.isConnected()) return false;
        child.process.send(message, () => undefined);
        return true;
      },
      onMessage: (listener) => void child.on('message', listener),
    },
    answers,
  );
  child.on('message', () => (aliveMs = performance.now()));
  // A signal or a message to a process that has just ended.
  child.on('error', () => undefined);

  async function end(deadlineMs: number): Promise<void> {
    if (hasExited) return;
    child.process.kill('SIGTERM');
    await exitOrKill(deadlineMs);
  }

  async function exitOrKill(deadlineMs: number): Promise<void> {
    await withDeadline(exited, deadlineMs, 'exit').catch(() => child.process.kill('SIGKILL'));
    await exited;
  }

  const report = () => calls.ask('readiness', REPORT_DEADLINE_MS).then(parseReport, () => undefined);

  return {
    id: child.id,
    pid: child.process.pid,
    startedMs,
    aliveMs: () => aliveMs,
    listens: () => isListening && !hasExited,
    listening,
    exited,
    report,
    metrics: () => calls.ask('metrics', METRICS_DEADLINE_MS),
    async becomesReady(deadlineMs) {
      const untilMs = performance.now() + deadlineMs;
      while (!hasExited && performance.now() < untilMs) {
        if (isListening && (await report())?.ready === true) return true;
        await Promise.race([delay(READY_POLL_MS), exited]);
      }
      return false;
    },
    async retire(deadlineMs, tell) {
      const startMs = performance.now();
      tell(await calls.ask('retire', deadlineMs).catch(() => undefined));
      await end(Math.max(1_000, deadlineMs - (performance.now() - startMs)));
    },
    end,
    kill: () => void child.process.kill('SIGKILL'),
  };
}
