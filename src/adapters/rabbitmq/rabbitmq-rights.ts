import type { ChannelModel } from 'amqplib';
import { attempt } from './rabbitmq-attempt.ts';

const ACCESS_REFUSED = 403;

/**
 * What the user may not do, each found without doing it: the broker checks rights first, and then refuses arguments that make no
 * sense (a queue's `x-expires`, a consumer's `x-priority`, a message's `expiration`).
 */
export async function missingRights(
  connection: ChannelModel,
  name: string,
  { exchange, exists }: { readonly exchange: string; readonly exists: boolean },
): Promise<string[]> {
  const refused = async (work: Parameters<typeof attempt>[1]): Promise<boolean> =>
    (await attempt(connection, work)).code === ACCESS_REFUSED;
  const missing: string[] = [];
  if (!exists) {
    const declare = { durable: true, arguments: { 'x-expires': 'never' } };
    if (await refused((channel) => channel.assertQueue(name, declare))) missing.push('configure');
    // The rest cannot be told before the exchange and the queue are there.
    return missing;
  }
  const consume = { arguments: { 'x-priority': 'never' } };
  if (await refused((channel) => channel.consume(name, () => undefined, consume))) missing.push('read');
  if (await refused((channel) => publishNowhere(channel, exchange))) missing.push('write');
  return missing;
}

async function publishNowhere(
  channel: Awaited<ReturnType<ChannelModel['createChannel']>>,
  exchange: string,
): Promise<void> {
  channel.publish(exchange, 'groundswell.doctor', Buffer.alloc(0), { expiration: 'never' });
  // Any call with an answer: what was refused before it has closed the channel by then.
  await channel.prefetch(1);
}
