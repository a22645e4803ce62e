import { setTimeout as delay } from 'node:timers/promises';
import { unacknowledged, type Subscription } from './rabbitmq-subscription.ts';

/** At 60 messages a second or more, the default prefetch of the single queue is used up within it. */
export const RUN_DRY_MS = 4_000;
const LOOK_EVERY_MS = 10;
/** How long messages are watched before it is judged how fast they come. */
const RATE_MS = 100;

export interface RunDryOptions {
  /** Unacknowledged messages, at most. */
  readonly prefetch: number;
  /** After so long it counts as dry, whatever may still come. */
  readonly withinMs: number;
  /** Resolves when all that its queue had accepted by now, and meant for here, has come. */
  allSent(): Promise<void>;
  /** Asks that what is in hand be recorded now. */
  hurry(): void;
  /** The connection is gone. */
  isOver(): boolean;
}

/**
 * A quorum queue goes on sending while its consumer is being cancelled, for as long as its disk takes; those messages do not arrive
 * and are redelivered. So acknowledgements are held back (`held`) until the prefetch is used up and the broker may send no more or,
 * where messages come too seldom for that, until nothing is on its way: few will come just as it is cancelled, if any. Resolves then;
 * of a partition only once nothing of it is in hand either, however long that takes, since its next worker begins at once.
 */
export async function runDry(subscription: Subscription, options: RunDryOptions): Promise<void> {
  const { prefetch, withinMs, allSent, hurry, isOver } = options;
  const sinceMs = performance.now();
  const first = unacknowledged(subscription);
  const isBusy = (): boolean => subscription.isPartition && subscription.inHand > 0;
  while (!isOver()) {
    const tookMs = performance.now() - sinceMs;
    const out = unacknowledged(subscription);
    const perMs = (out - first) / tookMs;
    const willFill = tookMs < RATE_MS || out + perMs * (withinMs - tookMs) >= prefetch;
    if (isBusy()) hurry();
    else if (out >= prefetch || tookMs >= withinMs) return;
    else if (!willFill) {
      await allSent();
      if (unacknowledged(subscription) === out && !isBusy()) return;
    }
    await delay(LOOK_EVERY_MS);
  }
}
