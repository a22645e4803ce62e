import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import type { Logger } from '../../runtime/logger.ts';
import { createAckWindow, type AckWindow } from './rabbitmq-ack-window.ts';
import type { Subscription } from './rabbitmq-subscription.ts';

/** Over a channel of its own, where no call waits for those of others, and what came is acknowledged in few frames. */
export interface OpenSubscription extends Subscription {
  readonly channel: Channel;
  readonly window: AckWindow;
  /** Unacknowledged messages, at most. */
  readonly prefetch: number;
  readonly logger: Logger;
}

export async function openSubscription(
  subscription: Subscription,
  options: {
    readonly connection: ChannelModel;
    readonly prefetch: number;
    readonly logger: Logger;
    onBroken(reason: string): void;
  },
): Promise<OpenSubscription> {
  const { connection, prefetch, logger, onBroken } = options;
  const channel = await connection.createChannel();
  channel.on('error', (error) => onBroken(error.message));
  channel.on('close', () => onBroken('channel closed'));
  await channel.prefetch(prefetch);
  return { ...subscription, channel, window: createAckWindow(), prefetch, logger };
}

/** In one frame where nothing that came before is unsettled: of many, RabbitMQ forgets some when the channel closes. */
export function acknowledge(subscription: OpenSubscription, messages: readonly ConsumeMessage[]): void {
  const { channel, window } = subscription;
  write(subscription, () => window.settle(messages, (message, upTo) => channel.ack(message, upTo)));
}

export function giveBack(subscription: OpenSubscription, messages: readonly ConsumeMessage[]): void {
  const { channel, window } = subscription;
  write(subscription, () => {
    window.settle(messages, () => undefined);
    for (const message of messages) channel.nack(message, false, true);
  });
}

/** A write to a channel that is closing throws; its messages come again, so there is nothing to do. */
function write({ logger }: OpenSubscription, work: () => void): void {
  try {
    work();
  } catch (error) {
    logger.debug({ error }, 'messages could not be settled: they come again');
  }
}

/**
 * Resolves when all that the queue had accepted, and meant for here, has come: a consumer that joins is an entry in the queue's log,
 * behind all of it, and that is here once a second call over the channel is answered. Of low priority, it is served only what the
 * first has no room for, one message at most, which it hands to `onMessage`.
 */
export async function passThroughLog(
  { queue, channel, prefetch }: OpenSubscription,
  onMessage: (message: ConsumeMessage) => void,
): Promise<void> {
  const narrow = channel.prefetch(1);
  const joining = channel.consume(
    queue,
    (message) => {
      if (message !== null) onMessage(message);
    },
    { priority: -1 },
  );
  await Promise.all([narrow, joining, channel.prefetch(prefetch)]);
  await channel.cancel((await joining).consumerTag);
}
