import type { ChannelModel } from 'amqplib';
import { attempt } from './rabbitmq-attempt.ts';
import { MAX_PARTITIONS, partitionName } from './rabbitmq-partitions.ts';

/**
 * Partitions that exist beyond this number of them (all, where there is to be one queue only). They stand from before QUEUE_PARTITIONS
 * was changed, or are in use by processes that have not changed it yet.
 */
export async function leftoverPartitions(
  connection: ChannelModel,
  queueName: string,
  partitions: number,
): Promise<string[]> {
  const found: string[] = [];
  for (let index = partitions === 1 ? 0 : partitions; index < MAX_PARTITIONS; index += 1) {
    const name = partitionName(queueName, index);
    if (!(await attempt(connection, (channel) => channel.checkQueue(name))).ok) break;
    found.push(name);
  }
  return found;
}
