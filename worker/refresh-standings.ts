import type { StandingsRefresher } from '../src/popularity/standings.ts';
import type { Logger } from '../src/runtime/logger.ts';
import type { Metrics } from '../src/runtime/metrics.ts';
import { pause } from './pause.ts';
import { repeat } from './repeat.ts';

/** Part of the freshness budget: accepted to visible within 2 s. */
const EVERY_MS = 500;
const LONGEST_REST_MS = 2_000;

export interface RefreshStandingsOptions {
  readonly standings: StandingsRefresher;
  readonly metrics: Pick<Metrics, 'standingsRefresh'>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Runs in every worker; the refresher sees to it that one at a time does the work. Resolves when `signal` aborts. */
export function refreshStandings({ standings, metrics, logger, signal }: RefreshStandingsOptions): Promise<void> {
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
      if (!more) return 'later';
      // Behind, as in a long drain, half of the time is left to recording.
      await pause(Math.min(tookMs, LONGEST_REST_MS), signal);
      return 'again';
    },
  });
}
