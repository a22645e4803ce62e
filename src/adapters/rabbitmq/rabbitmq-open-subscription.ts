import type { Channel, ChannelModel, Message } from 'amqplib';
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
export function acknowledge(subscription: OpenSubscription, messages: readonly Message[]): void {
  const { channel, window } = subscription;
  write(subscription, () => window.settle(messages, (message, upTo) => channel.ack(message, upTo)));
}

export function giveBack(subscription: OpenSubscription, messages: readonly Message[]): void {
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
 * Resolves when all that the queue had accepted, and meant for here, has come: an entry in the queue's log stands behind all of it, and
 * that is here once a second call over the channel is answered. Where one consumer is served at a time, another one joins the line
 * and leaves it; elsewhere it would be served what the first has no room for, so there a message is asked for, and handed to
 * `onMessage` if there is one.
 */
export async function passThroughLog(
  { queue, isShared, channel }: OpenSubscription,
  onMessage: (message: Message) => void,
): Promise<void> {
  if (isShared) {
    const message = await channel.get(queue);
    if (message !== false) onMessage(message);
    await channel.checkQueue(queue);
  } else {
    const { consumerTag } = await channel.consume(queue, () => undefined);
    await channel.cancel(consumerTag);
  }
}
