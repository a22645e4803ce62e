import type { ChannelModel, ConsumeMessage } from 'amqplib';

/**
 * How far the broker's clock is ahead of ours, in milliseconds: 0 within the second that is all it tells. AMQP has no way to ask; but
 * what expires in a queue is handed on with the time of it. Both queues are exclusive and gone with the channel.
 */
export async function brokerClockDifferenceMs(connection: ChannelModel): Promise<number> {
  const channel = await connection.createChannel();
  let fail: (error: unknown) => void = () => undefined;
  channel.on('error', (error) => fail(error));
  try {
    const failed = new Promise<never>((_, reject) => (fail = reject));
    failed.catch(() => undefined);
    return await Promise.race([measure(channel), failed]);
  } finally {
    await channel.close().catch(() => undefined);
  }
}

async function measure(channel: Awaited<ReturnType<ChannelModel['createChannel']>>): Promise<number> {
  const gone = { exclusive: true, autoDelete: true };
  const { queue: handedOn } = await channel.assertQueue('', gone);
  const { queue: expiring } = await channel.assertQueue('', {
    ...gone,
    arguments: { 'x-message-ttl': 0, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': handedOn },
  });
  const message = new Promise<ConsumeMessage | null>((resolve, reject) => {
    channel.consume(handedOn, resolve, { noAck: true }).catch(reject);
  });
  const sentMs = Date.now();
  channel.sendToQueue(expiring, Buffer.alloc(0));
  const seconds = expirySeconds(await message);
  const receivedMs = Date.now();
  return Math.max(0, seconds * 1_000 - receivedMs) + Math.min(0, (seconds + 1) * 1_000 - sentMs);
}

function expirySeconds(message: ConsumeMessage | null): number {
  const deaths: unknown = message?.properties.headers?.['x-death'];
  const first: unknown = Array.isArray(deaths) ? deaths[0] : undefined;
  const time: unknown = typeof first === 'object' && first !== null && 'time' in first ? first.time : undefined;
  const value: unknown = typeof time === 'object' && time !== null && 'value' in time ? time.value : time;
  if (typeof value !== 'number') throw new Error('the broker does not tell the time');
  return value;
}
