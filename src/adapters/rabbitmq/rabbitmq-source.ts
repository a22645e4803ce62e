import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { withDeadline } from '../../runtime/deadline.ts';
import type { Delivery, DeliverySource } from '../../interactions/queue.ts';
import { UnavailableError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { createAckWindow, type AckWindow } from './rabbitmq-ack-window.ts';
import { keepConnected } from './rabbitmq-link.ts';
import { MAX_BODIES_PER_PACK, unpack } from './rabbitmq-packs.ts';
import { layoutOf } from './rabbitmq-partitions.ts';
import { createSubscription, isBeingCancelled, unacknowledged, type Subscription } from './rabbitmq-subscription.ts';
import { leftoverPartitions } from './rabbitmq-leftovers.ts';
import { RUN_DRY_MS, runDry } from './rabbitmq-run-dry.ts';
import { sharePartitions, type PartitionSharing } from './rabbitmq-share-partitions.ts';
import { readTraceHeaders } from './rabbitmq-trace-headers.ts';
import { declareTopology, onScratchChannel } from './rabbitmq-topology.ts';

const CANCEL_DEADLINE_MS = 1_000;
const DECLARE_DEADLINE_MS = 2_000;

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
  readonly message: ConsumeMessage;
  /** The one it came over: no other can settle it. */
  readonly channel: Channel;
  readonly subscription: Subscription;
  unsettled: number;
}

interface Hands {
  onDelivery(delivery: RabbitmqDelivery): void;
  onFull(): void;
}

interface Consumer {
  readonly connection: ChannelModel;
  readonly channel: Channel;
  readonly window: AckWindow;
  readonly hands: Hands;
  readonly subscriptions: readonly Subscription[];
  readonly sharing: PartitionSharing;
  /** Unsettled messages of each subscription, at most. */
  readonly prefetch: number;
  activations: number;
}

/**
 * Consumes with manual acknowledgement. A message that carries several bodies is acknowledged once all of them are, and comes
 * again whole when one is given back. What is unsettled when the connection ends, the broker hands out again.
 *
 * Of several partitions every worker consumes each, and the broker serves one worker at a time. A worker with more than its
 * share leaves some, with nothing of them in hand, and stands at the end of the line again; so nothing is recorded by two workers at
 * a time unless a worker loses its connection with a batch at work. The single queue, and partitions that a greater number of them
 * left, are drained too, by all at once.
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
    const channel = await connection.createChannel();
    channel.on('error', (error) => link?.reset(connection, error.message));
    channel.on('close', () => link?.reset(connection, 'channel closed'));
    const subscriptions = [
      createSubscription(queueName, false),
      ...partitionQueues.map(({ name }) => createSubscription(name, true)),
      ...leftovers.map((name) => createSubscription(name, false)),
    ];
    const prefetch = Math.max(1, Math.floor(maxMessages / subscriptions.length));
    await channel.prefetch(prefetch);
    if (stopped) return;
    const current: Consumer = {
      connection,
      channel,
      window: createAckWindow(),
      hands,
      subscriptions,
      sharing: sharePartitions({
        partitions: subscriptions.filter(({ isPartition }) => isPartition),
        countWorkers: () => countWorkers(connection),
        giveUp: (subscription) => standInLineAgain(subscription, current),
        logger,
      }),
      prefetch,
      activations: 0,
    };
    consumer = current;
    for (const subscription of subscriptions) {
      if (!stopped) await subscribe(subscription, current);
    }
  }

  async function subscribe(subscription: Subscription, current: Consumer): Promise<void> {
    subscription.activeSince = null;
    const { consumerTag } = await current.channel.consume(subscription.queue, (message) => {
      if (message === null)
        return link?.reset(current.connection, 'the consumer was cancelled: the queue is gone or has moved');
      // These stay unsettled, and go back when the channel closes.
      if (isClosed) return;
      if (subscription.isPartition && isBeingCancelled(subscription)) return giveBack(current, [message]);
      handOut(message, subscription, current);
    });
    subscription.tag = consumerTag;
  }

  function handOut(message: ConsumeMessage, subscription: Subscription, current: Consumer): void {
    const { channel, window, hands, prefetch } = current;
    const bodies = unpack(message.content, message.properties);
    if (bodies.length === 0) return window.settle([message], (last, upTo) => channel.ack(last, upTo));
    if (subscription.activeSince === null) {
      subscription.activeSince = current.activations += 1;
      if (subscription.isPartition) current.sharing.served();
    }
    const redeliveries = redeliveriesOf(message);
    const origin: Origin = { message, channel, subscription, unsettled: bodies.length };
    subscription.inHand += 1;
    const traceparentAt = readTraceHeaders(message.properties.headers);
    for (const [position, body] of bodies.entries()) {
      hands.onDelivery({ body, redeliveries, outboxSeq: null, traceparent: traceparentAt(position), origin });
    }
    // One that can give no more is enough: the others may have nothing to give.
    if (unacknowledged(subscription) >= prefetch) hands.onFull();
  }

  /** Every worker consumes the single queue; of a partition the broker counts the one that it serves. */
  async function countWorkers(connection: ChannelModel): Promise<number> {
    const { consumerCount } = await onScratchChannel(connection, (channel) => channel.checkQueue(queueName));
    return consumerCount;
  }

  async function standInLineAgain(subscription: Subscription, current: Consumer): Promise<void> {
    await leave(subscription, current, RUN_DRY_MS);
    if (!stopped && consumer === current) await subscribe(subscription, current);
  }

  async function leave(subscription: Subscription, current: Consumer, withinMs: number): Promise<void> {
    const { tag } = subscription;
    if (tag === undefined) return;
    subscription.held = [];
    try {
      await runDry(subscription, {
        prefetch: current.prefetch,
        withinMs,
        allSent: () => passThroughLog(subscription, current),
        hurry: () => current.hands.onFull(),
        isOver: () => consumer !== current,
      });
      if (consumer !== current) return;
      subscription.tag = undefined;
      await current.channel.cancel(tag);
    } finally {
      if (!stopped) letGo([subscription], current);
    }
  }

  /**
   * Acknowledges what was held back: once it is cancelled, or that would make room for more, and of all queues together where all are
   * left. Of single acknowledgements the broker keeps back what is beyond 32, and forgets them when the channel is closed.
   */
  function letGo(subscriptions: readonly Subscription[], current: Consumer): void {
    const held = subscriptions.flatMap((subscription) => subscription.held ?? []);
    for (const subscription of subscriptions) subscription.held = null;
    // Over another channel these would be other messages.
    if (consumer === current) acknowledge(held);
  }

  /**
   * A consumer that joins is an entry in the queue's log, behind all that the queue accepted before it; and that is here once a second
   * call over the channel is answered. Of low priority, it is served only what the first has no room for: one message at most.
   */
  async function passThroughLog(subscription: Subscription, current: Consumer): Promise<void> {
    const { channel, prefetch } = current;
    const narrow = channel.prefetch(1);
    const joining = channel.consume(
      subscription.queue,
      (message) => {
        if (message !== null && !isClosed) handOut(message, subscription, current);
      },
      { priority: -1 },
    );
    await Promise.all([narrow, joining, channel.prefetch(prefetch)]);
    await channel.cancel((await joining).consumerTag);
  }

  function acknowledge(messages: readonly ConsumeMessage[]): void {
    settle(messages, ({ channel, window }) => window.settle(messages, (message, upTo) => channel.ack(message, upTo)));
  }

  function giveBack({ channel, window }: Consumer, messages: readonly ConsumeMessage[]): void {
    window.settle(messages, () => undefined);
    for (const message of messages) channel.nack(message, false, true);
  }

  /** A write to a channel that is closing throws; its messages come again, so there is nothing to do. */
  function settle(messages: readonly ConsumeMessage[], write: (current: Consumer) => void): void {
    if (consumer === undefined || messages.length === 0) return;
    try {
      write(consumer);
    } catch (error) {
      logger.debug({ error }, 'messages could not be settled: they come again');
    }
  }

  /** Calls `work` for each that is of this connection and whose message is not settled. */
  function settleAll(deliveries: readonly RabbitmqDelivery[], work: (origin: Origin) => void): void {
    for (const { origin } of deliveries) {
      if (origin.unsettled === 0 || !isCurrent(origin)) continue;
      work(origin);
      if (origin.unsettled === 0) origin.subscription.inHand -= 1;
    }
  }

  function isCurrent({ channel }: Origin): boolean {
    return channel === consumer?.channel;
  }

  return {
    name: 'rabbitmq',
    async start(onDelivery, onFull) {
      link ??= keepConnected({
        urls,
        purpose: 'consume',
        queues: partitions,
        logger,
        onOpen: (connection) => consume(connection, { onDelivery, onFull }),
        onLost() {
          consumer?.sharing.stop();
          consumer = undefined;
        },
      });
    },
    ack(deliveries) {
      const done: ConsumeMessage[] = [];
      settleAll(deliveries, (origin) => {
        origin.unsettled -= 1;
        if (origin.unsettled === 0) (origin.subscription.held ?? done).push(origin.message);
      });
      acknowledge(done);
    },
    requeue(deliveries) {
      const back: ConsumeMessage[] = [];
      settleAll(deliveries, (origin) => {
        origin.unsettled = 0;
        back.push(origin.message);
      });
      // Or a partition that is being left would hand them out here again; they go back when the channel closes.
      if (!stopped) settle(back, (current) => giveBack(current, back));
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
      if (last !== undefined) letGo(last.subscriptions, last);
      // The channel goes first: acknowledgements that it has buffered would come after the connection's own goodbye.
      await link?.close(async () => last?.channel.close());
      consumer = undefined;
    },
    async backlog() {
      if (consumer === undefined) throw new UnavailableError('RabbitMQ is away');
      const { connection, subscriptions } = consumer;
      try {
        const counting = onScratchChannel(connection, async (channel) => {
          let depth = 0;
          for (const { queue } of subscriptions) depth += (await channel.checkQueue(queue)).messageCount;
          return depth;
        });
        return { depth: await withDeadline(counting, DECLARE_DEADLINE_MS, 'RabbitMQ'), oldest: null };
      } catch (error) {
        throw new UnavailableError('RabbitMQ does not tell how long the queue is', error);
      }
    },
    ready() {
      if (stopped || link?.fault() !== null || consumer === undefined) return false;
      const { subscriptions, sharing } = consumer;
      return subscriptions.every((one) => one.tag !== undefined || sharing.departureOf(one) !== undefined);
    },
  };
}

/** Quorum queues count; any other queue only tells that it was handed out before. */
function redeliveriesOf({ fields, properties }: ConsumeMessage): number {
  const count: unknown = properties.headers?.['x-delivery-count'];
  return Math.max(typeof count === 'number' ? count : 0, fields.redelivered ? 1 : 0);
}
