import type { Channel, ChannelModel } from 'amqplib';
import type { Logger } from '../../runtime/logger.ts';

const ACCESS_REFUSED = 403;
const PRECONDITION_FAILED = 406;

/**
 * A durable direct exchange and a quorum queue, both under the queue's name. What exists already with other arguments,
 * or may not be declared by this user, is used as it is: a warning serves an operator better than a crash loop.
 */
export async function declareTopology(connection: ChannelModel, queueName: string, logger: Logger): Promise<void> {
  await declareOrUse(connection, logger, `exchange ${queueName}`, {
    declare: (channel) => channel.assertExchange(queueName, 'direct', { durable: true }),
    use: (channel) => channel.checkExchange(queueName),
  });
  await declareOrUse(connection, logger, `queue ${queueName}`, {
    declare: (channel) => channel.assertQueue(queueName, { durable: true, arguments: queueArguments(connection) }),
    use: (channel) => channel.checkQueue(queueName),
  });
  await declareOrUse(connection, logger, `binding ${queueName}`, {
    declare: (channel) => channel.bindQueue(queueName, queueName, queueName),
    use: () => Promise.resolve(),
  });
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
    logger.warn({ what, error }, 'RabbitMQ does not take our declaration: using what exists');
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

/** What the queue is declared with on this broker. */
export function queueArguments(connection: ChannelModel): Record<string, string | number> {
  return {
    'x-queue-type': 'quorum',
    // A full queue refuses, and the publisher learns it; the default would drop the oldest.
    'x-overflow': 'reject-publish',
    // A worker that crashes again and again must not cost messages. 4.0 set a limit of 20; before there was none.
    ...(majorVersion(connection) >= 4 ? { 'x-delivery-limit': -1 } : {}),
  };
}
