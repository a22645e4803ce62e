import { setTimeout as delay } from 'node:timers/promises';
import { arrivalRate, unacknowledged, type Subscription } from './rabbitmq-subscription.ts';

/** From some 60 messages a second on, the default prefetch of the single queue is full within it. */
export const RUN_DRY_MS = 4_000;
/** Longer than a message is on its way. */
const LOOK_EVERY_MS = 10;
/** Until it is known how fast they come to one that was served only just now. */
const RATE_MS = 100;

export interface RunDryOptions {
  /** Unacknowledged messages, at most. */
  readonly prefetch: number;
  /** After so long it is dry enough. */
  readonly withinMs: number;
  /** What its queue holds that was handed to nobody. Over its own channel: with an answer, what was sent before the last answer is here. */
  depth(): Promise<number>;
  /** What is in hand shall be recorded now. */
  hurry(): void;
  /** The connection is gone. */
  isOver(): boolean;
}

/**
 * What a quorum queue sends while its consumer is being cancelled, some milliseconds, does not arrive, and comes again. So nothing
 * is acknowledged (`held`) until as much is out as may be: then it sends nothing. Where messages come too seldom for that, until there is
 * no more to send: the next one is not likely within those milliseconds. Resolves then, and of a partition once nothing is in
 * hand besides, however long that takes: whoever is served next begins at once.
 */
export async function runDry(subscription: Subscription, options: RunDryOptions): Promise<void> {
  const { prefetch, withinMs, depth, hurry, isOver } = options;
  const sinceMs = performance.now();
  const first = unacknowledged(subscription);
  let seen = -1;
  let looks = 0;
  /** Nothing but a delivery tells that it is served here; another worker's may never be empty. */
  const standsBy = (tookMs: number): boolean =>
    subscription.isPartition && subscription.activeSince === null && tookMs >= RATE_MS && looks > 1;
  const isBusy = (): boolean => subscription.isPartition && subscription.inHand > 0;
  /** They may have come fast before, and pause. */
  const fills = (out: number, tookMs: number): boolean => {
    const perMs = Math.max((out - first) / tookMs, arrivalRate(subscription));
    return tookMs < RATE_MS || out + perMs * (withinMs - tookMs) >= prefetch;
  };
  while (!isOver()) {
    const tookMs = performance.now() - sinceMs;
    const isDry = unacknowledged(subscription) >= prefetch || tookMs >= withinMs || standsBy(tookMs);
    if (isDry && !isBusy()) return;
    if (isBusy()) hurry();
    if (!isDry) {
      const waiting = await depth();
      const out = unacknowledged(subscription);
      if (waiting === 0 && out === seen && !fills(out, performance.now() - sinceMs) && !isBusy()) return;
      seen = out;
      looks += 1;
    }
    await delay(LOOK_EVERY_MS);
  }
}
