import type { Span } from '../runtime/tracing.ts';

export interface PublishOptions {
  /** What is traced stays so: the trace goes with each body to whoever records it. */
  readonly span?: Span | null;
  /** How long the caller still waits, ms; a queue has a deadline of its own besides. */
  readonly withinMs?: number;
}

/** Where accepted interactions wait for a worker: RabbitMQ, or the outbox table in Postgres. */
export interface InteractionQueue {
  /**
   * Resolves once every body is durable (the broker's publisher confirm, or the outbox row's commit), all or an error.
   * After an error some may be durable all the same: a retry with the same ids is harmless.
   * @throws UnavailableError the queue is away, full or past its deadline
   */
  publish(bodies: readonly Buffer[], options?: PublishOptions): Promise<void>;
}

/** One message as a worker gets it. */
export interface Delivery {
  readonly body: Uint8Array;
  /** How often it was handed out before without being settled. */
  readonly redeliveries: number;
  /** The outbox row it came from, or null when it came from the broker. */
  readonly outboxSeq: bigint | null;
  /** W3C, of the publish that it came by; null when that was not traced. As others sent it, unchecked. */
  readonly traceparent: string | null;
}

export interface Backlog {
  /** How many wait; of a long outbox an upper bound. */
  readonly depth: number;
  /** The body of the oldest, where it can be seen without being taken. */
  readonly oldest: Uint8Array | null;
}

/** The worker's end of a queue. */
export interface DeliverySource<D extends Delivery = Delivery> {
  readonly name: 'rabbitmq' | 'outbox';
  /**
   * Hands every delivery to `onDelivery` until stopped, reconnecting for ever with backoff. At most the prefetch are
   * unsettled at a time, or what one message holds; `onFull` says that no more come until some are settled. `onLost`: the
   * connection is gone, and all that it brought comes again; settling the old copies has no effect.
   */
  start(onDelivery: (delivery: D) => void, onFull: () => void, onLost?: () => void): Promise<void>;
  /** Forget these: called after they are recorded or rejected, in a committed transaction. Never throws. */
  ack(deliveries: readonly D[]): void;
  /** Hand these out again later: nothing was recorded. Never throws. */
  requeue(deliveries: readonly D[]): void;
  /**
   * Resolves when no more deliveries come, after `withinMs` at most. Until then what is on its way is still handed out; deliveries may
   * be settled meanwhile and afterwards.
   */
  stop(withinMs: number): Promise<void>;
  /** Gives everything back that is not settled and closes. */
  close(): Promise<void>;
  /** True while deliveries can come. */
  ready(): boolean;
  /** What waits in the queue, for all its workers. Costs the server next to nothing. @throws UnavailableError */
  backlog(): Promise<Backlog>;
}
