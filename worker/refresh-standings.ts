import type { StandingsRefresher } from '../src/popularity/standings.ts';
import type { Logger } from '../src/runtime/logger.ts';
import type { Metrics } from '../src/runtime/metrics.ts';
import { repeat } from './repeat.ts';

/** Part of the freshness budget: accepted to visible within 2 s. */
const EVERY_MS = 500;

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
      if (led) metrics.standingsRefresh.observe((performance.now() - startedAtMs) / 1_000);
      return more ? 'again' : 'later';
    },
  });
}
