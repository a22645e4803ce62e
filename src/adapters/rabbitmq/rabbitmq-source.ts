import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { withDeadline } from '../../runtime/deadline.ts';
import type { Delivery, DeliverySource } from '../../interactions/queue.ts';
import type { Logger } from '../../runtime/logger.ts';
import { createAckWindow, type AckWindow } from './rabbitmq-ack-window.ts';
import { keepConnected } from './rabbitmq-link.ts';
import { declareTopology } from './rabbitmq-topology.ts';

const CANCEL_DEADLINE_MS = 1_000;

export interface RabbitmqSourceOptions {
  readonly urls: readonly string[];
  readonly queueName: string;
  /** How many unsettled messages the broker hands out; at least a batch, better a few. */
  readonly prefetch: number;
  readonly logger: Logger;
}

/** `channel` is the one it came over: no other can settle it. */
interface RabbitmqDelivery extends Delivery {
  readonly message: ConsumeMessage;
  readonly channel: Channel;
}

interface Consumer {
  readonly connection: ChannelModel;
  readonly channel: Channel;
  readonly window: AckWindow;
  tag: string | undefined;
}

/** Consumes with manual acknowledgement. What is unsettled when the connection ends, the broker hands out again. */
export function createRabbitmqSource(options: RabbitmqSourceOptions): DeliverySource<RabbitmqDelivery> {
  const { urls, queueName, prefetch, logger } = options;
  let consumer: Consumer | undefined;
  let stopped = false;
  let link: ReturnType<typeof keepConnected> | undefined;

  async function consume(connection: ChannelModel, onDelivery: (delivery: RabbitmqDelivery) => void): Promise<void> {
    await declareTopology(connection, queueName, logger);
    const channel = await connection.createChannel();
    channel.on('error', (error) => link?.reset(connection, error.message));
    channel.on('close', () => link?.reset(connection, 'channel closed'));
    await channel.prefetch(prefetch);
    if (stopped) return;
    const current: Consumer = { connection, channel, window: createAckWindow(), tag: undefined };
    consumer = current;
    const { consumerTag } = await channel.consume(queueName, (message) => {
      if (message === null)
        return link?.reset(connection, 'the consumer was cancelled: the queue is gone or has moved');
      // After stop() they stay unsettled, and go back when the channel closes.
      if (stopped) return;
      onDelivery({ body: message.content, redeliveries: redeliveriesOf(message), outboxSeq: null, message, channel });
    });
    current.tag = consumerTag;
  }

  /** A write to a channel that is closing throws; its messages come again, so there is nothing to do. */
  function settle(
    deliveries: readonly RabbitmqDelivery[],
    write: (current: Consumer, mine: ConsumeMessage[]) => void,
  ): void {
    const current = consumer;
    if (current === undefined) return;
    const mine = deliveries.flatMap(({ channel, message }) => (channel === current.channel ? [message] : []));
    if (mine.length === 0) return;
    try {
      write(current, mine);
    } catch (error) {
      logger.debug({ error }, 'messages could not be settled: they come again');
    }
  }

  return {
    name: 'rabbitmq',
    async start(onDelivery) {
      link ??= keepConnected({
        urls,
        purpose: 'consume',
        logger,
        onOpen: (connection) => consume(connection, onDelivery),
        onLost: () => (consumer = undefined),
      });
    },
    ack(deliveries) {
      settle(deliveries, ({ channel, window }, mine) =>
        window.settle(mine, (message, upTo) => channel.ack(message, upTo)),
      );
    },
    requeue(deliveries) {
      settle(deliveries, ({ channel, window }, mine) => {
        window.settle(mine, () => undefined);
        for (const message of mine) channel.nack(message, false, true);
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
    ready: () => !stopped && consumer?.tag !== undefined && link?.fault() === null,
  };
}

/** Quorum queues count; any other queue only tells that it was handed out before. */
function redeliveriesOf({ fields, properties }: ConsumeMessage): number {
  const count: unknown = properties.headers?.['x-delivery-count'];
  return Math.max(typeof count === 'number' ? count : 0, fields.redelivered ? 1 : 0);
}
