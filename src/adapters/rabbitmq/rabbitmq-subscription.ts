import type { ConsumeMessage } from 'amqplib';

/** A broker that flushes to a busy disk hands nothing out for some tenths of a second. */
const SLOT_MS = 500;

/** One queue that a connection consumes. */
export interface Subscription {
  readonly queue: string;
  /** Shared out among the workers, each partition to one of them at a time. */
  readonly isPartition: boolean;
  tag: string | undefined;
  /** Messages handed out and not settled. */
  inHand: number;
  /** Messages that came since `sinceMs`, on the clock of `performance.now()`, and in the slot before. */
  readonly arrivals: { sinceMs: number; count: number; before: number };
  /**
   * When the first message came since it consumes, by a count; null before. All workers consume every partition and the broker serves
   * the first in line; nothing but a delivery tells a worker that this is itself, and it stays so until it leaves.
   */
  activeSince: number | null;
  /** Being given up: what is recorded meanwhile, unacknowledged, so that no more than the prefetch comes. */
  held: ConsumeMessage[] | null;
  /** Given up: of a partition what still arrives goes back unseen. */
  leaving: boolean;
  /** Until it was given up and stands in line again. */
  departure: Promise<void> | null;
}

export function createSubscription(queue: string, isPartition: boolean): Subscription {
  return {
    queue,
    isPartition,
    tag: undefined,
    inHand: 0,
    arrivals: { sinceMs: 0, count: 0, before: 0 },
    activeSince: null,
    held: null,
    leaving: false,
    departure: null,
  };
}

/** Messages that came and are not acknowledged, as the prefetch counts them. */
export function unacknowledged({ inHand, held }: Pick<Subscription, 'inHand' | 'held'>): number {
  return inHand + (held?.length ?? 0);
}

export function countArrival(subscription: Pick<Subscription, 'arrivals'>): void {
  turnSlot(subscription);
  subscription.arrivals.count += 1;
}

/** Messages a millisecond, over the last half second at least and the last second at most. */
export function arrivalRate(subscription: Pick<Subscription, 'arrivals'>): number {
  turnSlot(subscription);
  const { sinceMs, count, before } = subscription.arrivals;
  return (before + count) / (SLOT_MS + performance.now() - sinceMs);
}

function turnSlot({ arrivals }: Pick<Subscription, 'arrivals'>): void {
  const nowMs = performance.now();
  const slots = Math.floor((nowMs - arrivals.sinceMs) / SLOT_MS);
  if (slots === 0) return;
  arrivals.before = slots === 1 ? arrivals.count : 0;
  arrivals.count = 0;
  arrivals.sinceMs += slots * SLOT_MS;
}

/** Which to give up so that every worker can have its part: those that came last, as a newcomer is the more likely next in line. */
export function beyondFairShare<S extends Pick<Subscription, 'activeSince'>>(
  active: readonly S[],
  { partitions, workers }: { readonly partitions: number; readonly workers: number },
): readonly S[] {
  const share = Math.ceil(partitions / Math.max(1, workers));
  return active.toSorted((a, b) => (a.activeSince ?? 0) - (b.activeSince ?? 0)).slice(share);
}
