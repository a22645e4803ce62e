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
/** So many times what a pass took is left to recording: at least, while standings are behind, and while the queue itself is. */
const REST = { always: 0.5, standingsBehind: 1, queueBehind: 4 };

export interface RefreshStandingsOptions {
  readonly standings: StandingsRefresher;
  readonly metrics: Pick<Metrics, 'standingsRefresh'>;
  readonly logger: Logger;
  /** Whether more is waiting in the queue than is being recorded. */
  readonly isQueueBehind: () => boolean;
  readonly signal: AbortSignal;
}

/** Runs in every worker; the refresher sees to it that one of them does the work. Resolves when `signal` aborts. */
export function refreshStandings(options: RefreshStandingsOptions): Promise<void> {
  const { standings, metrics, logger, isQueueBehind, signal } = options;
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
      // What still waits in the queue stands nowhere, so the machine is better used to record it.
      const rest = isQueueBehind() ? REST.queueBehind : more ? REST.standingsBehind : REST.always;
      const restMs = Math.min(rest * tookMs, LONGEST_REST_MS);
      await pause(more ? restMs : restMs + untilNext(Date.now() + restMs), signal);
      return 'again';
    },
  });
}

function untilNext(nowMs: number): number {
  return EVERY_MS - ((nowMs - AT_MS) % EVERY_MS);
}
