import type { StandingsRefresher } from '../src/popularity/standings.ts';
import type { Logger } from '../src/runtime/logger.ts';
import type { Metrics } from '../src/runtime/metrics.ts';
import { pause } from './pause.ts';
import { repeat } from './repeat.ts';

/** Part of the freshness budget: accepted to visible within 2 s. */
const EVERY_MS = 500;
const LONGEST_REST_MS = 5_000;
/** So many times what a pass took is left to recording: while standings are behind, and while the queue itself is. */
const REST = { standingsBehind: 1, queueBehind: 4 };

export interface RefreshStandingsOptions {
  readonly standings: StandingsRefresher;
  readonly metrics: Pick<Metrics, 'standingsRefresh'>;
  readonly logger: Logger;
  /** Whether more is waiting in the queue than is being recorded. */
  readonly isQueueBehind: () => boolean;
  readonly signal: AbortSignal;
}

/** Runs in every worker; the refresher sees to it that one at a time does the work. Resolves when `signal` aborts. */
export function refreshStandings(options: RefreshStandingsOptions): Promise<void> {
  const { standings, metrics, logger, isQueueBehind, signal } = options;
  return repeat({
    name: 'refresh standings',
    everyMs: EVERY_MS,
    logger,
    signal,
    async work() {
      const startedAtMs = performance.now();
      const { led, more } = await standings.refresh();
      const tookMs = performance.now() - startedAtMs;
      if (led) metrics.standingsRefresh.observe(tookMs / 1_000);
      if (!more && !isQueueBehind()) return 'later';
      // What still waits in the queue stands nowhere, so the machine is better used to record it.
      const rest = isQueueBehind() ? REST.queueBehind : REST.standingsBehind;
      await pause(Math.min(rest * tookMs, LONGEST_REST_MS), signal);
      return more ? 'again' : 'later';
    },
  });
}
