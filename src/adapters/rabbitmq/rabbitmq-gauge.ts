import { connect, type ChannelModel } from 'amqplib';
import { withDeadline } from '../../runtime/deadline.ts';
import { messageOf } from '../../runtime/errors.ts';
import type { Looked, QueueGauges } from '../../top/part-gauges.ts';
import { attempt } from './rabbitmq-attempt.ts';
import { queueNames, type QueueNaming } from './rabbitmq-partitions.ts';

const DEADLINE_MS = 3_000;

export interface RabbitmqGauge {
  look(): Promise<Looked<QueueGauges>>;
  close(): Promise<void>;
}

/** How deep the queue is, all its partitions together, asked on a connection that is kept; after a failure the next node is tried. */
export function createRabbitmqGauge(urls: readonly string[], naming: QueueNaming): RabbitmqGauge {
  let connection: ChannelModel | undefined;
  let node = 0;

  async function open(): Promise<ChannelModel> {
    const url = urls[node % urls.length] ?? '';
    const opened = await connect(url, { timeout: DEADLINE_MS });
    opened.on('error', () => undefined);
    opened.on('close', () => {
      if (connection === opened) connection = undefined;
    });
    return opened;
  }

  async function lookOnce(): Promise<QueueGauges> {
    connection ??= await open();
    let ready = 0;
    let consumers = 0;
    for (const name of queueNames(naming)) {
      const found = await attempt(connection, (channel) => channel.checkQueue(name));
      if (!found.ok) throw new Error(found.reason);
      ready += found.value.messageCount;
      // Of a partition the broker counts one, and every worker consumes the single queue.
      if (name === naming.queueName) consumers = found.value.consumerCount;
    }
    return { ready, consumers };
  }

  async function close(): Promise<void> {
    const open = connection;
    connection = undefined;
    await open?.close().catch(() => undefined);
  }

  return {
    async look() {
      try {
        return { up: true, value: await withDeadline(lookOnce(), DEADLINE_MS, 'RabbitMQ') };
      } catch (error) {
        node += 1;
        void close();
        return { up: false, fault: messageOf(error) };
      }
    },
    close,
  };
}
