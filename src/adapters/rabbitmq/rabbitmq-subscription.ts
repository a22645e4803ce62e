import type { Message } from 'amqplib';

/** One queue that a connection consumes. */
export interface Subscription {
  readonly queue: string;
  /** Shared out among the workers, each partition to one of them at a time. */
  readonly isPartition: boolean;
  /** All its consumers are served at once: it is the single queue. */
  readonly isShared: boolean;
  /** The broker serves those of a higher one first, as long as their prefetch lasts. */
  readonly priority: number;
  /** Of its consumer, from the broker's answer until that is being cancelled. */
  tag: string | undefined;
  /** Messages handed out and not settled. */
  inHand: number;
  /**
   * When the first message came since it consumes, by a count; null before. All workers consume every partition and the broker serves
   * the first in line; nothing but a delivery tells a worker that this is itself, and it stays so until it leaves.
   */
  activeSince: number | null;
  /**
   * While it is being left, until the broker has confirmed the cancellation: what is recorded meanwhile and not acknowledged, so that
   * no more than the prefetch comes. Null otherwise.
   */
  held: Message[] | null;
  /** Of a partition: what came while it was being cancelled, for the next worker. */
  readonly late: Message[];
}

export function createSubscription(
  queue: string,
  kind: 'single' | 'partition' | 'leftover',
  priority = 0,
): Subscription {
  return {
    queue,
    isPartition: kind === 'partition',
    isShared: kind === 'single',
    priority,
    tag: undefined,
    inHand: 0,
    activeSince: null,
    held: null,
    late: [],
  };
}

/** Messages that came and are not acknowledged, as the prefetch counts them. */
export function unacknowledged({ inHand, held }: Pick<Subscription, 'inHand' | 'held'>): number {
  return inHand + (held?.length ?? 0);
}

/** The broker may still send: of a partition that goes back unseen, as another worker may have begun. */
export function isBeingCancelled({ tag, held }: Pick<Subscription, 'tag' | 'held'>): boolean {
  return tag === undefined && held !== null;
}
