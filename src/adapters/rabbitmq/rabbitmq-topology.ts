import type { Channel, ChannelModel } from 'amqplib';
import type { Logger } from '../../runtime/logger.ts';
import type { Layout } from './rabbitmq-partitions.ts';

const ACCESS_REFUSED = 403;
const PRECONDITION_FAILED = 406;
/** Channels open meanwhile; a broker may allow few. One after the other, 64 queues would be some 400 round trips. */
const AT_A_TIME = 16;
/** To a consistent-hash exchange a binding key is the number of buckets the queue gets. */
const CONSISTENT_HASH_WEIGHT = '1';

/**
 * A durable exchange and its quorum queues. What exists already with other arguments, or may not be declared by this user, is
 * used as it is: a warning serves an operator better than a crash loop.
 */
export async function declareTopology(connection: ChannelModel, layout: Layout, logger: Logger): Promise<void> {
  const { exchange, exchangeType, queues } = layout;
  await declareOrUse(connection, logger, `exchange ${exchange}`, {
    declare: (channel) => channel.assertExchange(exchange, exchangeType, { durable: true }),
    use: (channel) => channel.checkExchange(exchange),
  });
  const eachQueue = async (declare: (name: string) => Promise<void>): Promise<void> => {
    for (let at = 0; at < queues.length; at += AT_A_TIME) {
      await Promise.all(queues.slice(at, at + AT_A_TIME).map(({ name }) => declare(name)));
    }
  };
  await eachQueue((name) =>
    declareOrUse(connection, logger, `queue ${name}`, {
      declare: (channel) =>
        channel.assertQueue(name, { durable: true, arguments: queueArguments(connection, exchangeType) }),
      use: (channel) => channel.checkQueue(name),
    }),
  );
  // After all queues, so that a new exchange takes nothing for a part of its partitions only.
  await eachQueue((name) =>
    declareOrUse(connection, logger, `binding ${name}`, {
      declare: (channel) =>
        channel.bindQueue(name, exchange, exchangeType === 'direct' ? exchange : CONSISTENT_HASH_WEIGHT),
      use: () => Promise.resolve(),
    }),
  );
}

interface Step {
  declare(channel: Channel): Promise<unknown>;
  use(channel: Channel): Promise<unknown>;
}

async function declareOrUse(connection: ChannelModel, logger: Logger, what: string, step: Step): Promise<void> {
  try {
    await onScratchChannel(connection, step.declare);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== PRECONDITION_FAILED && code !== ACCESS_REFUSED) throw error;
    await onScratchChannel(connection, step.use);
    // Without the right to configure, as an API should be, there is nothing to warn of.
    const level = code === ACCESS_REFUSED ? 'debug' : 'warn';
    logger[level]({ what, error }, 'RabbitMQ does not take our declaration: using what exists');
  }
}

/** The broker closes a channel with the declaration that it refuses. */
export async function onScratchChannel<T>(
  connection: ChannelModel,
  work: (channel: Channel) => Promise<T>,
): Promise<T> {
  const channel = await connection.createChannel();
  let open = true;
  channel.on('error', () => undefined);
  channel.on('close', () => (open = false));
  const result = await work(channel);
  if (open) await channel.close();
  return result;
}

function majorVersion(connection: ChannelModel): number {
  return Number.parseInt(connection.connection.serverProperties['version'], 10) || 0;
}

/** What a queue is declared with on this broker. */
export function queueArguments(
  connection: ChannelModel,
  exchangeType: Layout['exchangeType'] = 'direct',
): Record<string, string | number | boolean> {
  return {
    'x-queue-type': 'quorum',
    // A full queue refuses, and the publisher learns it; the default would drop the oldest.
    'x-overflow': 'reject-publish',
    // A worker that crashes again and again must not cost messages. 4.0 set a limit of 20; before there was none.
    ...(majorVersion(connection) >= 4 ? { 'x-delivery-limit': -1 } : {}),
    // A partition is one worker's; the others that consume it stand by.
    ...(exchangeType === 'direct' ? {} : { 'x-single-active-consumer': true }),
  };
}
