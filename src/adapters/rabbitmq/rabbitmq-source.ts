import type { ChannelModel, Message } from 'amqplib';
import { withDeadline } from '../../runtime/deadline.ts';
import type { Delivery, DeliverySource } from '../../interactions/queue.ts';
import { DeadlineError, UnavailableError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { keepConnected } from './rabbitmq-link.ts';
import { MAX_BODIES_PER_PACK, unpack } from './rabbitmq-packs.ts';
import { layoutOf } from './rabbitmq-partitions.ts';
import { createSubscription, isBeingCancelled, unacknowledged, type Subscription } from './rabbitmq-subscription.ts';
import { leftoverPartitions } from './rabbitmq-leftovers.ts';
import {
  acknowledge,
  giveBack,
  openSubscription,
  passThroughLog,
  type OpenSubscription,
} from './rabbitmq-open-subscription.ts';
import { RUN_DRY_MS, runDry } from './rabbitmq-run-dry.ts';
import { sharePartitions, type PartitionSharing } from './rabbitmq-share-partitions.ts';
import { readTraceHeaders } from './rabbitmq-trace-headers.ts';
import { declareTopology, onScratchChannel } from './rabbitmq-topology.ts';

const CANCEL_DEADLINE_MS = 1_000;
const DECLARE_DEADLINE_MS = 2_000;
const CONSUME_DEADLINE_MS = 2_000;
/** After it all is consumed anew, over another connection: what is in hand comes again, so not often. */
const RETRY_CONSUME_MS = 30_000;
/** Of the consumer that is served in place of one being cancelled: more than come meanwhile, and soon used up. */
const NARROW_PREFETCH = 8;

export interface RabbitmqSourceOptions {
  readonly urls: readonly string[];
  readonly queueName: string;
  /** Not set: 1. */
  readonly partitions?: number;
  /** How many unsettled bodies there may be at most. */
  readonly prefetch: number;
  readonly logger: Logger;
}

interface RabbitmqDelivery extends Delivery {
  readonly origin: Origin;
}

/** The message that one or more deliveries came in. */
interface Origin {
  readonly message: Message;
  readonly consumer: Consumer;
  readonly subscription: OpenSubscription;
  unsettled: number;
}

interface Hands {
  onDelivery(delivery: RabbitmqDelivery): void;
  onFull(): void;
}

interface Consumer {
  readonly connection: ChannelModel;
  readonly hands: Hands;
  readonly subscriptions: OpenSubscription[];
  readonly sharing: PartitionSharing;
  activations: number;
}

/**
 * Consumes with manual acknowledgement. A message that carries several bodies is acknowledged once all of them are, and comes
 * again whole when one is given back. What is unsettled when the connection ends, the broker hands out again.
 *
 * Of several partitions every worker consumes each, and the broker serves one worker at a time. A worker with more than its
 * share leaves some, with nothing of them in hand, and stands at the end of the line again; so nothing is recorded by two workers at
 * a time unless a worker loses its connection with a batch at work. The single queue is drained too, by all at once, and so are partitions
 * that a greater number of them left, each by one.
 */
export function createRabbitmqSource(options: RabbitmqSourceOptions): DeliverySource<RabbitmqDelivery> {
  const { urls, queueName, partitions = 1, logger } = options;
  const partitionQueues = partitions === 1 ? [] : layoutOf(queueName, partitions).queues;
  // The broker counts messages. Where each holds a single body, few are made, and few in hand at a time will do.
  const maxMessages = Math.floor(options.prefetch / MAX_BODIES_PER_PACK);
  let consumer: Consumer | undefined;
  let stopped = false;
  /** Once nothing more may come: what was on its way when the source was stopped is taken still. */
  let isClosed = false;
  let link: ReturnType<typeof keepConnected> | undefined;

  async function consume(connection: ChannelModel, hands: Hands): Promise<void> {
    const layouts = [...new Set([1, partitions])].map((count) => layoutOf(queueName, count));
    const [leftovers] = await Promise.all([
      leftoverPartitions(connection, queueName, partitions),
      ...layouts.map((layout) => declareTopology(connection, layout, logger)),
    ]);
    if (leftovers.length > 0) logger.info({ leftovers }, 'draining queues of another QUEUE_PARTITIONS too');
    const queues = [
      createSubscription(queueName, 'single'),
      ...partitionQueues.map(({ name }) => createSubscription(name, 'partition')),
      ...leftovers.map((name) => createSubscription(name, 'leftover')),
    ];
    const prefetch = Math.max(1, Math.floor(maxMessages / queues.length));
    const subscriptions = await Promise.all(queues.map((queue) => open(queue, connection, prefetch)));
    if (stopped) return;
    const current: Consumer = {
      connection,
      hands,
      subscriptions,
      sharing: sharePartitions({
        partitions: subscriptions.filter(({ isPartition }) => isPartition),
        countWorkers: () => countWorkers(connection),
        giveUp: (subscription) => standInLineAgain(subscription, current),
        logger,
      }),
      activations: 0,
    };
    consumer = current;
    await subscribeAll(current);
  }

  /** A partition whose queue has no majority answers nothing: the others are drained meanwhile. */
  async function subscribeAll(current: Consumer): Promise<void> {
    const { connection, subscriptions } = current;
    const subscribing = subscriptions.map((subscription) =>
      withDeadline(subscribe(subscription, current), CONSUME_DEADLINE_MS, 'RabbitMQ').catch((error: unknown) => {
        if (!(error instanceof DeadlineError)) throw error;
      }),
    );
    await Promise.all(subscribing);
    if (stopped || isWhole(current)) return;
    const queues = subscriptions.filter(({ tag }) => tag === undefined).map(({ queue }) => queue);
    if (queues.length === subscriptions.length) throw new UnavailableError('RabbitMQ: no queue can be consumed');
    logger.warn({ queues }, 'queues that cannot be consumed for now');
    // Of another connection meanwhile, it does nothing.
    setTimeout(() => {
      if (!stopped && !isWhole(current)) link?.reset(connection, 'a queue cannot be consumed');
    }, RETRY_CONSUME_MS).unref();
  }

  function open(queue: Subscription, connection: ChannelModel, prefetch: number): Promise<OpenSubscription> {
    const onBroken = (reason: string): void => link?.reset(connection, reason);
    return openSubscription(queue, { connection, prefetch, logger, onBroken });
  }

  async function subscribe(subscription: OpenSubscription, current: Consumer): Promise<void> {
    subscription.activeSince = null;
    const onMessage = (message: Message | null): void => {
      if (message === null)
        return link?.reset(current.connection, 'the consumer was cancelled: the queue is gone or has moved');
      // These stay unsettled, and go back when the channel closes.
      if (isClosed) return;
      if (subscription.isPartition && isBeingCancelled(subscription)) return void subscription.late.push(message);
      handOut(message, subscription, current);
    };
    const { priority } = subscription;
    const { consumerTag } = await subscription.channel.consume(subscription.queue, onMessage, { priority });
    subscription.tag = consumerTag;
  }

  function handOut(message: Message, subscription: OpenSubscription, current: Consumer): void {
    const { hands } = current;
    const bodies = unpack(message.content, message.properties);
    if (bodies.length === 0) return acknowledge(subscription, [message]);
    if (subscription.activeSince === null) {
      subscription.activeSince = current.activations += 1;
      if (subscription.isPartition) current.sharing.served();
    }
    const redeliveries = redeliveriesOf(message);
    const origin: Origin = { message, consumer: current, subscription, unsettled: bodies.length };
    subscription.inHand += 1;
    const traceparentAt = readTraceHeaders(message.properties.headers);
    for (const [position, body] of bodies.entries()) {
      hands.onDelivery({ body, redeliveries, outboxSeq: null, traceparent: traceparentAt(position), origin });
    }
    // One that can give no more is enough: the others may have nothing to give.
    if (unacknowledged(subscription) >= subscription.prefetch) hands.onFull();
  }

  /** Every worker consumes the single queue; of a partition the broker counts the one that it serves. */
  async function countWorkers(connection: ChannelModel): Promise<number> {
    const { consumerCount } = await onScratchChannel(connection, (channel) => channel.checkQueue(queueName));
    return consumerCount;
  }

  async function standInLineAgain(subscription: OpenSubscription, current: Consumer): Promise<void> {
    await leave(subscription, current, RUN_DRY_MS);
    if (!stopped && consumer === current) await subscribe(subscription, current);
  }

  /**
   * Where messages of the single queue come too seldom to use up the prefetch, another consumer is served in place of this one while it
   * is being cancelled. It may hold few, which are used up the sooner, and is left in the same way.
   */
  async function leave(subscription: OpenSubscription, current: Consumer, withinMs: number): Promise<void> {
    const { tag, channel, prefetch } = subscription;
    if (tag === undefined) return;
    const sinceMs = performance.now();
    const held: Message[] = [];
    subscription.held = held;
    let narrower: OpenSubscription | undefined;
    try {
      await runDry(subscription, {
        prefetch,
        withinMs,
        allSent: () =>
          passThroughLog(subscription, (message) => {
            if (!isClosed) handOut(message, subscription, current);
          }),
        hurry: () => current.hands.onFull(),
        isOver: () => consumer !== current,
      });
      if (consumer !== current) return;
      if (subscription.isShared && unacknowledged(subscription) < prefetch && prefetch > 1) {
        // Without it what comes just as this one is cancelled comes again, and no more.
        narrower = await openNarrower(subscription, current).catch(() => undefined);
      }
      subscription.tag = undefined;
      await channel.cancel(tag);
      // Any sooner it would come straight back. When all are left it stays unsettled until the channel closes.
      if (!stopped) giveBack(subscription, subscription.late.splice(0));
    } finally {
      subscription.held = null;
      // Once it is cancelled, or they would make room for more.
      acknowledge(subscription, held);
    }
    if (narrower !== undefined) await leave(narrower, current, Math.max(0, withinMs - (performance.now() - sinceMs)));
  }

  async function openNarrower(
    { queue, priority, prefetch }: OpenSubscription,
    current: Consumer,
  ): Promise<OpenSubscription> {
    const sooner = createSubscription(queue, 'single', priority + 1);
    const narrower = await open(sooner, current.connection, prefetch > NARROW_PREFETCH ? NARROW_PREFETCH : 1);
    current.subscriptions.push(narrower);
    await subscribe(narrower, current);
    return narrower;
  }

  /** Calls `work` for each that is of this connection and whose message is not settled. */
  function settleAll(deliveries: readonly RabbitmqDelivery[], work: (origin: Origin) => void): void {
    for (const { origin } of deliveries) {
      if (origin.unsettled === 0 || origin.consumer !== consumer) continue;
      work(origin);
      if (origin.unsettled === 0) origin.subscription.inHand -= 1;
    }
  }

  return {
    name: 'rabbitmq',
    async start(onDelivery, onFull, onLost = () => undefined) {
      link ??= keepConnected({
        urls,
        purpose: 'consume',
        queues: partitions,
        logger,
        onOpen: (connection) => consume(connection, { onDelivery, onFull }),
        onLost() {
          consumer?.sharing.stop();
          consumer = undefined;
          onLost();
        },
      });
    },
    ack(deliveries) {
      const done = new Map<OpenSubscription, Message[]>();
      settleAll(deliveries, (origin) => {
        origin.unsettled -= 1;
        if (origin.unsettled > 0) return;
        const { message, subscription } = origin;
        const messages = subscription.held ?? done.get(subscription);
        if (messages === undefined) done.set(subscription, [message]);
        else messages.push(message);
      });
      for (const [subscription, messages] of done) acknowledge(subscription, messages);
    },
    requeue(deliveries) {
      settleAll(deliveries, (origin) => {
        origin.unsettled = 0;
        // Or a partition that is being left would hand them out here again; they go back when the channel closes.
        if (!stopped) giveBack(origin.subscription, [origin.message]);
      });
    },
    async stop(withinMs) {
      stopped = true;
      const current = consumer;
      if (current !== undefined) {
        current.sharing.stop();
        const deadlineMs = Math.min(withinMs, RUN_DRY_MS + CANCEL_DEADLINE_MS);
        const left = current.subscriptions.map(async (subscription) => {
          await current.sharing.departureOf(subscription)?.catch(() => undefined);
          await leave(subscription, current, Math.max(0, deadlineMs - CANCEL_DEADLINE_MS));
        });
        await withDeadline(Promise.all(left), deadlineMs, 'RabbitMQ').catch((error: unknown) =>
          logger.info({ error }, 'not every queue was left in time: what is on its way comes again'),
        );
      }
      isClosed = true;
    },
    async close() {
      stopped = true;
      isClosed = true;
      const last = consumer;
      last?.sharing.stop();
      const subscriptions = last?.subscriptions ?? [];
      // Recorded, but its queue was not left in time.
      for (const subscription of subscriptions) acknowledge(subscription, subscription.held ?? []);
      // The channels go first: acknowledgements that they have buffered would come after the connection's own goodbye.
      await link?.close(() => Promise.all(subscriptions.map(({ channel }) => channel.close())));
      consumer = undefined;
    },
    async backlog() {
      if (consumer === undefined) throw new UnavailableError('RabbitMQ is away');
      const { connection, subscriptions } = consumer;
      try {
        const counting = onScratchChannel(connection, async (channel) => {
          let depth = 0;
          for (const queue of new Set(subscriptions.map((one) => one.queue)))
            depth += (await channel.checkQueue(queue)).messageCount;
          return depth;
        });
        return { depth: await withDeadline(counting, DECLARE_DEADLINE_MS, 'RabbitMQ'), oldest: null };
      } catch (error) {
        throw new UnavailableError('RabbitMQ does not tell how long the queue is', error);
      }
    },
    ready() {
      if (stopped || link?.fault() !== null || consumer === undefined) return false;
      return isWhole(consumer);
    },
  };
}

/** Whether every queue is consumed, or about to be again. */
function isWhole({ subscriptions, sharing }: Consumer): boolean {
  return subscriptions.every((one) => one.tag !== undefined || sharing.departureOf(one) !== undefined);
}

/** Quorum queues count; any other queue only tells that it was handed out before. */
function redeliveriesOf({ fields, properties }: Message): number {
  const count: unknown = properties.headers?.['x-delivery-count'];
  return Math.max(typeof count === 'number' ? count : 0, fields.redelivered ? 1 : 0);
}
