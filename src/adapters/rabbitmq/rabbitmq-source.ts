import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { withDeadline } from '../../runtime/deadline.ts';
import type { Delivery, DeliverySource } from '../../interactions/queue.ts';
import { UnavailableError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { createAckWindow, type AckWindow } from './rabbitmq-ack-window.ts';
import { keepConnected } from './rabbitmq-link.ts';
import { MAX_BODIES_PER_PACK, unpack } from './rabbitmq-packs.ts';
import { declareTopology, onScratchChannel } from './rabbitmq-topology.ts';

const CANCEL_DEADLINE_MS = 1_000;
const DECLARE_DEADLINE_MS = 2_000;

export interface RabbitmqSourceOptions {
  readonly urls: readonly string[];
  readonly queueName: string;
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
  tag: string | undefined;
  unsettledMessages: number;
}

/**
 * Consumes with manual acknowledgement. A message that carries several bodies is acknowledged once all of them are, and comes
 * again whole when one is given back. What is unsettled when the connection ends, the broker hands out again. */
export function createRabbitmqSource(options: RabbitmqSourceOptions): DeliverySource<RabbitmqDelivery> {
  const { urls, queueName, logger } = options;
  // The broker counts messages. Where each holds a single body, few are made, and few in hand at a time will do.
  const maxMessages = Math.max(1, Math.floor(options.prefetch / MAX_BODIES_PER_PACK));
  let consumer: Consumer | undefined;
  let stopped = false;
  let link: ReturnType<typeof keepConnected> | undefined;

  async function consume(connection: ChannelModel, hands: Hands): Promise<void> {
    await declareTopology(connection, queueName, logger);
    const channel = await connection.createChannel();
    channel.on('error', (error) => link?.reset(connection, error.message));
    channel.on('close', () => link?.reset(connection, 'channel closed'));
    await channel.prefetch(maxMessages);
    if (stopped) return;
    const current: Consumer = { connection, channel, window: createAckWindow(), tag: undefined, unsettledMessages: 0 };
    consumer = current;
    const { consumerTag } = await channel.consume(queueName, (message) => {
      if (message === null)
        return link?.reset(connection, 'the consumer was cancelled: the queue is gone or has moved');
      // After stop() they stay unsettled, and go back when the channel closes.
      if (stopped) return;
      handOut(message, current, hands);
    });
    current.tag = consumerTag;
  }

  function handOut(message: ConsumeMessage, current: Consumer, { onDelivery, onFull }: Hands): void {
    const { channel, window } = current;
    const bodies = unpack(message.content, message.properties);
    if (bodies.length === 0) return window.settle([message], (last, upTo) => channel.ack(last, upTo));
    const redeliveries = redeliveriesOf(message);
    const origin: Origin = { message, channel, unsettled: bodies.length };
    current.unsettledMessages += 1;
    for (const body of bodies) onDelivery({ body, redeliveries, outboxSeq: null, origin });
    if (current.unsettledMessages >= maxMessages) onFull();
  }

  /** A write to a channel that is closing throws; its messages come again, so there is nothing to do. */
  function settle(messages: readonly ConsumeMessage[], write: (current: Consumer) => void): void {
    if (consumer === undefined || messages.length === 0) return;
    consumer.unsettledMessages -= messages.length;
    try {
      write(consumer);
    } catch (error) {
      logger.debug({ error }, 'messages could not be settled: they come again');
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
        logger,
        onOpen: (connection) => consume(connection, { onDelivery, onFull }),
        onLost: () => (consumer = undefined),
      });
    },
    ack(deliveries) {
      const done: ConsumeMessage[] = [];
      for (const { origin } of deliveries) {
        if (origin.unsettled === 0) continue;
        origin.unsettled -= 1;
        if (origin.unsettled === 0 && isCurrent(origin)) done.push(origin.message);
      }
      settle(done, ({ channel, window }) => window.settle(done, (message, upTo) => channel.ack(message, upTo)));
    },
    requeue(deliveries) {
      const back: ConsumeMessage[] = [];
      for (const { origin } of deliveries) {
        if (origin.unsettled === 0) continue;
        origin.unsettled = 0;
        if (isCurrent(origin)) back.push(origin.message);
      }
      settle(back, ({ channel, window }) => {
        window.settle(back, () => undefined);
        for (const message of back) channel.nack(message, false, true);
      });
    },
    async stop() {
      stopped = true;
      const current = consumer;
      if (current?.tag === undefined) return;
      await withDeadline(current.channel.cancel(current.tag), CANCEL_DEADLINE_MS, 'RabbitMQ').catch(() => undefined);
    },
    async close() {
      stopped = true;
      const last = consumer;
      // The channel goes first: acknowledgements that it has buffered would come after the connection's own goodbye.
      await link?.close(async () => last?.channel.close());
      consumer = undefined;
    },
    async backlog() {
      const connection = consumer?.connection;
      if (connection === undefined) throw new UnavailableError('RabbitMQ is away');
      try {
        const declared = onScratchChannel(connection, (channel) => channel.checkQueue(queueName));
        const { messageCount } = await withDeadline(declared, DECLARE_DEADLINE_MS, 'RabbitMQ');
        return { depth: messageCount, oldest: null };
      } catch (error) {
        throw new UnavailableError('RabbitMQ does not tell how long the queue is', error);
      }
    },
    ready: () => !stopped && consumer?.tag !== undefined && link?.fault() === null,
  };
}

/** Quorum queues count; any other queue only tells that it was handed out before. */
function redeliveriesOf({ fields, properties }: ConsumeMessage): number {
  const count: unknown = properties.headers?.['x-delivery-count'];
  return Math.max(typeof count === 'number' ? count : 0, fields.redelivered ? 1 : 0);
}
