import { setTimeout as delay } from 'node:timers/promises';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { withDeadline } from '../../runtime/deadline.ts';
import type { Delivery, DeliverySource } from '../../interactions/queue.ts';
import { UnavailableError, messageOf } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { createAckWindow, type AckWindow } from './rabbitmq-ack-window.ts';
import { keepConnected } from './rabbitmq-link.ts';
import { MAX_BODIES_PER_PACK, unpack } from './rabbitmq-packs.ts';
import { layoutOf } from './rabbitmq-partitions.ts';
import { beyondFairShare, createSubscription, unacknowledged, type Subscription } from './rabbitmq-subscription.ts';
import { leftoverPartitions } from './rabbitmq-leftovers.ts';
import { readTraceHeaders } from './rabbitmq-trace-headers.ts';
import { declareTopology, onScratchChannel } from './rabbitmq-topology.ts';

const CANCEL_DEADLINE_MS = 1_000;
/** Longer than a message is on its way. */
const DRY_LOOK_MS = 10;
/** From some 60 messages a second on, the default prefetch is full within it. */
const RUN_DRY_MS = 4_000;
/** Until it is known how fast they come. */
const RATE_MS = 100;
const DECLARE_DEADLINE_MS = 2_000;
/** After a partition began to be served here, and again while there is more than one: whether others should have some. */
const FIRST_REBALANCE_MS = 200;
const REBALANCE_EVERY_MS = 1_000;

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
  /** Unsettled messages of each subscription, at most. */
  readonly prefetch: number;
  activations: number;
  rebalance: NodeJS.Timeout | undefined;
}

/**
 * Consumes with manual acknowledgement. A message that carries several bodies is acknowledged once all of them are, and comes
 * again whole when one is given back. What is unsettled when the connection ends, the broker hands out again.
 *
 * Of several partitions every worker consumes each, and the broker serves one worker at a time. A worker with more than its
 * share leaves some, one that nothing is in hand of, and stands at the end of the line again; so nothing is recorded by two workers at
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
      prefetch,
      activations: 0,
      rebalance: undefined,
    };
    consumer = current;
    for (const subscription of subscriptions) await subscribe(subscription, current);
  }

  async function subscribe(subscription: Subscription, current: Consumer): Promise<void> {
    subscription.leaving = false;
    subscription.activeSince = null;
    const { consumerTag } = await current.channel.consume(subscription.queue, (message) => {
      if (message === null)
        return link?.reset(current.connection, 'the consumer was cancelled: the queue is gone or has moved');
      // These stay unsettled, and go back when the channel closes.
      if (isClosed || (stopped && subscription.isPartition)) return;
      if (subscription.leaving) return giveBack(current, [message]);
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
      if (subscription.isPartition) rebalanceIn(FIRST_REBALANCE_MS, current);
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

  function rebalanceIn(delayMs: number, current: Consumer): void {
    current.rebalance ??= setTimeout(() => {
      current.rebalance = undefined;
      rebalance(current).catch((error: unknown) => {
        logger.debug({ error }, 'the partitions could not be shared out');
        if (consumer === current) rebalanceIn(REBALANCE_EVERY_MS, current);
      });
    }, delayMs);
  }

  async function rebalance(current: Consumer): Promise<void> {
    const active = current.subscriptions.filter(
      ({ isPartition, activeSince, leaving }) => isPartition && activeSince !== null && !leaving,
    );
    if (active.length <= 1 || stopped || consumer !== current) return;
    // Every worker consumes the single queue; of a partition the broker counts the one that it serves.
    const { consumerCount: workers } = await onScratchChannel(current.connection, (channel) =>
      channel.checkQueue(queueName),
    );
    for (const subscription of beyondFairShare(active, { partitions, workers })) {
      subscription.held ??= [];
      current.hands.onFull();
      leaveIfIdle(subscription, current);
    }
    rebalanceIn(REBALANCE_EVERY_MS, current);
  }

  /** To the end of the line, once all that came is recorded. */
  function leaveIfIdle(subscription: Subscription, current: Consumer): void {
    const { held, tag, inHand } = subscription;
    if (stopped || held === null || inHand > 0 || tag === undefined || current !== consumer) return;
    subscription.held = null;
    subscription.tag = undefined;
    subscription.leaving = true;
    const left = current.channel.cancel(tag);
    // After the cancellation, or they would make room for more.
    acknowledge(held);
    left
      .then(async () => {
        if (!stopped && current === consumer) await subscribe(subscription, current);
      })
      .catch((error: unknown) => link?.reset(current.connection, messageOf(error)));
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

  /** Calls `work` for each that is of this connection and whose message is not settled, and leaves what was waiting for that. */
  function settleAll(deliveries: readonly RabbitmqDelivery[], work: (delivery: RabbitmqDelivery) => void): void {
    const touched = new Set<Subscription>();
    for (const delivery of deliveries) {
      const { origin } = delivery;
      if (origin.unsettled === 0 || !isCurrent(origin)) continue;
      work(delivery);
      if (origin.unsettled > 0) continue;
      origin.subscription.inHand -= 1;
      if (origin.subscription.held !== null) touched.add(origin.subscription);
    }
    if (consumer !== undefined) for (const subscription of touched) leaveIfIdle(subscription, consumer);
  }

  /**
   * What a quorum queue sends while its consumer is being cancelled, some milliseconds, does not arrive, and comes again. So nothing
   * is acknowledged until as much is out as may be: then it sends nothing. Where messages come too seldom for that, until there is no
   * more to send: the next one is not likely within those milliseconds.
   */
  async function runDry(subscription: Subscription, current: Consumer): Promise<void> {
    subscription.held ??= [];
    let seen = -1;
    const first = unacknowledged(subscription);
    const sinceMs = performance.now();
    const fills = (out: number, tookMs: number): boolean =>
      tookMs < RATE_MS || first + ((out - first) * RUN_DRY_MS) / tookMs >= current.prefetch;
    while (
      consumer === current &&
      unacknowledged(subscription) < current.prefetch &&
      performance.now() - sinceMs < RUN_DRY_MS
    ) {
      const { messageCount } = await onScratchChannel(current.connection, (channel) =>
        channel.checkQueue(subscription.queue),
      );
      const out = unacknowledged(subscription);
      if (messageCount === 0 && out === seen && !fills(out, performance.now() - sinceMs)) return;
      seen = out;
      await delay(DRY_LOOK_MS);
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
          clearTimeout(consumer?.rebalance);
          consumer = undefined;
        },
      });
    },
    ack(deliveries) {
      const done: ConsumeMessage[] = [];
      settleAll(deliveries, ({ origin }) => {
        origin.unsettled -= 1;
        if (origin.unsettled > 0) return;
        (origin.subscription.held ?? done).push(origin.message);
      });
      acknowledge(done);
    },
    requeue(deliveries) {
      const back: ConsumeMessage[] = [];
      settleAll(deliveries, ({ origin }) => {
        origin.unsettled = 0;
        back.push(origin.message);
      });
      settle(back, (current) => giveBack(current, back));
    },
    async stop() {
      stopped = true;
      clearTimeout(consumer?.rebalance);
      // A partition goes to the next worker when the channel closes: before, what is in hand would be at work in two.
      const current = consumer;
      const leaving = current?.subscriptions.filter(({ isPartition }) => !isPartition) ?? [];
      const cancelled = leaving.map(async (subscription) => {
        if (current === undefined || subscription.tag === undefined) return;
        await runDry(subscription, current);
        await current.channel.cancel(subscription.tag);
      });
      await withDeadline(Promise.all(cancelled), RUN_DRY_MS + CANCEL_DEADLINE_MS, 'RabbitMQ').catch(() => undefined);
      isClosed = true;
    },
    async close() {
      stopped = true;
      isClosed = true;
      clearTimeout(consumer?.rebalance);
      const last = consumer;
      // Recorded, but kept back while a partition was being given up.
      for (const { held } of last?.subscriptions ?? []) acknowledge(held ?? []);
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
    ready: () =>
      !stopped &&
      link?.fault() === null &&
      consumer !== undefined &&
      consumer.subscriptions.every(({ tag, leaving }) => tag !== undefined || leaving),
  };
}

/** Quorum queues count; any other queue only tells that it was handed out before. */
function redeliveriesOf({ fields, properties }: ConsumeMessage): number {
  const count: unknown = properties.headers?.['x-delivery-count'];
  return Math.max(typeof count === 'number' ? count : 0, fields.redelivered ? 1 : 0);
}
