import { decodeMessage } from '../src/interactions/message.ts';
import type { DeliverySource } from '../src/interactions/queue.ts';
import type { RejectedStore } from '../src/interactions/rejected-store.ts';
import type { StandingsRefresher } from '../src/popularity/standings.ts';
import { withDeadline } from '../src/runtime/deadline.ts';
import { UnavailableError } from '../src/runtime/errors.ts';
import type { Logger } from '../src/runtime/logger.ts';
import type { Metrics } from '../src/runtime/metrics.ts';
import type { InHand } from './in-hand.ts';
import { repeat } from './repeat.ts';

/** Each round is one short statement per table and one passive declare, so a scrape never waits for a server. */
const EVERY_MS = 5_000;

export interface SampleBacklogOptions {
  readonly sources: readonly Pick<DeliverySource, 'name' | 'backlog'>[];
  readonly inHand: InHand;
  readonly rejected: Pick<RejectedStore, 'countByReason'>;
  readonly standings: Pick<StandingsRefresher, 'asOf'>;
  readonly metrics: Pick<Metrics, 'queueDepth' | 'queueOldest' | 'rejectedWaiting' | 'standingsAge'>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Measures what only the servers know: what waits, for how long, and how old the standings are. */
export async function sampleBacklog(options: SampleBacklogOptions): Promise<void> {
  const { sources, inHand, rejected, standings, metrics, logger, signal } = options;
  const oldestAtMs = new Map<string, number>();

  for (const { name } of sources) {
    metrics.queueOldest.read({ queue: name }, () => {
      const sinceMs = Math.min(oldestAtMs.get(name) ?? Infinity, inHand.oldestMs(name));
      return sinceMs === Infinity ? 0 : Math.max(0, Date.now() - sinceMs) / 1_000;
    });
  }

  async function sampleSource({ name, backlog }: Pick<DeliverySource, 'name' | 'backlog'>): Promise<void> {
    try {
      const { depth, oldest } = await withDeadline(backlog(), EVERY_MS, name);
      metrics.queueDepth.set({ queue: name }, depth);
      const decoded = oldest === null ? undefined : decodeMessage(oldest);
      if (decoded?.ok === true) oldestAtMs.set(name, decoded.interaction.acceptedAtMs);
      else oldestAtMs.delete(name);
    } catch (error) {
      // No value is better than an old one; how old the oldest is grows on.
      metrics.queueDepth.remove({ queue: name });
      if (!(error instanceof UnavailableError)) throw error;
    }
  }

  async function sampleTables(): Promise<void> {
    const counts = await rejected.countByReason();
    metrics.rejectedWaiting.reset();
    for (const [reason, count] of counts) metrics.rejectedWaiting.set({ reason }, count);
    const asOfMs = (await standings.asOf())?.getTime();
    if (asOfMs !== undefined) metrics.standingsAge.read({}, () => Math.max(0, Date.now() - asOfMs) / 1_000);
  }

  // Each by itself: of a Postgres that hangs the others do not have to wait.
  const samplings = [...sources.map((source) => () => sampleSource(source)), sampleTables];
  await Promise.all(
    samplings.map((sample) =>
      repeat({
        name: 'sample the backlog',
        everyMs: EVERY_MS,
        logger,
        signal,
        async work() {
          await sample();
          return 'later';
        },
      }),
    ),
  );
}
