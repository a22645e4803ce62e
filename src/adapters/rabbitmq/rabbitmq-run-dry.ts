import { setTimeout as delay } from 'node:timers/promises';
import { arrivalRate, unacknowledged, type Subscription } from './rabbitmq-subscription.ts';

/** At 60 messages a second or more, the default prefetch of the single queue is used up within it. */
export const RUN_DRY_MS = 4_000;
/** Longer than a message is on its way. */
const LOOK_EVERY_MS = 10;
/** How long messages are watched before it is judged how fast they come, or that none do. */
const RATE_MS = 100;

export interface RunDryOptions {
  /** Unacknowledged messages, at most. */
  readonly prefetch: number;
  /** After so long it counts as dry, whatever may still come. */
  readonly withinMs: number;
  /** Messages in its queue that were handed to nobody. Asked over the subscription's own channel: the answer comes after all that was sent before it. */
  depth(): Promise<number>;
  /** Asks that what is in hand be recorded now. */
  hurry(): void;
  /** The connection is gone. */
  isOver(): boolean;
}

/**
 * A quorum queue goes on sending for some milliseconds while its consumer is being cancelled; those messages do not arrive and are
 * redelivered. So acknowledgements are held back (`held`) until the prefetch is used up and the broker may send no more or, where
 * messages come too seldom for that, until the queue is empty: the next one is then unlikely to come within those milliseconds.
 * Resolves then; of a partition only once nothing of it is in hand either, however long that takes, since its next worker begins
 * at once.
 */
export async function runDry(subscription: Subscription, options: RunDryOptions): Promise<void> {
  const { prefetch, withinMs, depth, hurry, isOver } = options;
  const sinceMs = performance.now();
  const first = unacknowledged(subscription);
  let seen = -1;
  let looks = 0;
  /** Nothing has come in all this time, so another worker is served, and the queue may never be empty. */
  const isStandby = (tookMs: number): boolean =>
    subscription.isPartition && subscription.activeSince === null && tookMs >= RATE_MS && looks > 1;
  const isBusy = (): boolean => subscription.isPartition && subscription.inHand > 0;
  /** Whether the prefetch will be used up in time, also when messages that came fast only pause. */
  const willFill = (out: number, tookMs: number): boolean => {
    const perMs = Math.max((out - first) / tookMs, arrivalRate(subscription));
    return tookMs < RATE_MS || out + perMs * (withinMs - tookMs) >= prefetch;
  };
  while (!isOver()) {
    const tookMs = performance.now() - sinceMs;
    const isDry = unacknowledged(subscription) >= prefetch || tookMs >= withinMs || isStandby(tookMs);
    if (isBusy()) hurry();
    else if (isDry) return;
    if (!isDry) {
      const waiting = await depth();
      const out = unacknowledged(subscription);
      if (waiting === 0 && out === seen && !willFill(out, performance.now() - sinceMs) && !isBusy()) return;
      seen = out;
      looks += 1;
    }
    await delay(LOOK_EVERY_MS);
  }
}
