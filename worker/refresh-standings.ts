import type { StandingsRefresher } from '../src/popularity/standings.ts';
import type { Logger } from '../src/runtime/logger.ts';
import type { Metrics } from '../src/runtime/metrics.ts';
import { pause } from './pause.ts';
import { repeat } from './repeat.ts';

/** Part of the freshness budget: accepted to visible within 2 s. */
const EVERY_MS = 500;
/**
 * Passes begin at so many milliseconds after half a second of the clock. Caches such as nginx's turn with the second, and
 * find there what a pass a quarter of a second before has made; what just missed it they would keep for another one.
 */
const AT_MS = 250;
const LONGEST_REST_MS = 5_000;
/**
 * After each pass so many times what it took is left to recording: at least, while standings are behind, while the queue itself is,
 * and while what comes out of it is older than standings may be.
 */
const REST_FACTORS = { always: 0.5, standingsBehind: 1, queueBehind: 4, queueLate: 9 };
const LATE_MS = 2_000;
/** How often the rest that is left is reckoned anew: it ends early when the queue is no longer late. */
const LOOK_MS = 100;

export interface RefreshStandingsOptions {
  readonly standings: StandingsRefresher;
  readonly metrics: Pick<Metrics, 'standingsRefresh'>;
  readonly logger: Logger;
  /** Whether more is waiting in the queue than is being recorded. */
  readonly isQueueBehind: () => boolean;
  /** When the oldest of what is being recorded was accepted, ms since the epoch; Infinity when nothing is. */
  readonly oldestInHandMs: () => number;
  readonly signal: AbortSignal;
}

/** Runs in every worker; the refresher sees to it that one of them does the work. Resolves when `signal` aborts. */
export function refreshStandings(options: RefreshStandingsOptions): Promise<void> {
  const { standings, metrics, logger, isQueueBehind, oldestInHandMs, signal } = options;

  /** What still waits in the queue stands nowhere, so the machine is better used to record it. */
  function restFactor(more: boolean): number {
    if (Date.now() - oldestInHandMs() > LATE_MS) return REST_FACTORS.queueLate;
    if (isQueueBehind()) return REST_FACTORS.queueBehind;
    return more ? REST_FACTORS.standingsBehind : REST_FACTORS.always;
  }

  async function rest(tookMs: number, more: boolean): Promise<void> {
    const sinceMs = performance.now();
    while (!signal.aborted) {
      const leftMs = Math.min(restFactor(more) * tookMs, LONGEST_REST_MS) - (performance.now() - sinceMs);
      if (leftMs <= 0) return;
      await pause(Math.min(leftMs, LOOK_MS), signal);
    }
  }

  return repeat({
    name: 'refresh standings',
    everyMs: 0,
    logger,
    signal,
    async work() {
      const startedAtMs = performance.now();
      const { led, more } = await standings.refresh(EVERY_MS / 2);
      const tookMs = performance.now() - startedAtMs;
      if (led) metrics.standingsRefresh.observe(tookMs / 1_000);
      await rest(tookMs, more);
      if (!more) await pause(untilNext(Date.now()), signal);
      return 'again';
    },
  });
}

function untilNext(nowMs: number): number {
  return EVERY_MS - ((nowMs - AT_MS) % EVERY_MS);
}
