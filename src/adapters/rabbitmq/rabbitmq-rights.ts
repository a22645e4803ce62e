import type { ChannelModel } from 'amqplib';
import { attempt } from './rabbitmq-attempt.ts';

const ACCESS_REFUSED = 403;

export interface Rights {
  /** To publish, as an API does. */
  readonly publish: boolean;
  /** To consume, as a worker does. */
  readonly consume: boolean;
  /** To make the queue and bind it to its exchange, as the first worker does. */
  readonly declare: boolean;
}

/**
 * What the user may do, each found without doing it: the broker checks rights before it looks whether the queue or the exchange is
 * there, and then refuses arguments that make no sense (a queue's `x-expires`, a consumer's `x-priority`, a message's `expiration`).
 * To take off a binding that nobody made needs the rights of making one.
 */
export async function rightsOn(connection: ChannelModel, name: string, exchange: string): Promise<Rights> {
  const allowed = async (work: Parameters<typeof attempt>[1]): Promise<boolean> =>
    (await attempt(connection, work)).code !== ACCESS_REFUSED;
  const queue = { durable: true, arguments: { 'x-expires': 'never' } };
  const consumer = { arguments: { 'x-priority': 'never' } };
  return {
    publish: await allowed((channel) => publishNowhere(channel, exchange)),
    consume: await allowed((channel) => channel.consume(name, () => undefined, consumer)),
    declare:
      (await allowed((channel) => channel.assertQueue(name, queue))) &&
      (await allowed((channel) => channel.unbindQueue(name, exchange, 'groundswell.doctor'))),
  };
}

async function publishNowhere(
  channel: Awaited<ReturnType<ChannelModel['createChannel']>>,
  exchange: string,
): Promise<void> {
  channel.publish(exchange, 'groundswell.doctor', Buffer.alloc(0), { expiration: 'never' });
  // Any call with an answer: what was refused before it has closed the channel by then.
  await channel.prefetch(1);
}
