import { connect, type Channel } from 'amqplib';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { testQueue } from '../../../test/servers/test-queue.ts';
import { waitFor } from '../../../test/servers/wait-for.ts';
import { itemOfMessage } from '../../interactions/message-item.ts';
import type { Delivery, DeliverySource } from '../../interactions/queue.ts';
import { createLogger } from '../../runtime/logger.ts';
import { layoutOf, partitionOf } from './rabbitmq-partitions.ts';
import { connectRabbitmqQueue, type RabbitmqQueue } from './rabbitmq-queue.ts';
import { createRabbitmqSource } from './rabbitmq-source.ts';

const logger = createLogger('silent', 'test');
const ITEMS = 100;

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

/** A worker that takes its time to record, and remembers what it has in hand. */
interface Member {
  readonly inHand: Map<string, number>;
  readonly partitions: Set<number>;
  leave(): Promise<void>;
}

/** A queue in partitions, its publisher, and members that tell on each other when two have one item in hand. */
async function group(partitions: number) {
  const { url, queue: queueName } = testQueue();
  const seen = new Map<string, number>();
  const members = new Set<Member>();
  const overlaps: string[] = [];

  async function publisher(count = partitions): Promise<RabbitmqQueue> {
    const options = { urls: [url], queueName, partitions: count, deadlineMs: 10_000, maxInFlight: 5_000, logger };
    const queue = await connectRabbitmqQueue(options);
    ends.push(() => queue.close());
    await waitFor('the connection', () => queue.fault() === null);
    return queue;
  }

  async function join(count = partitions): Promise<Member> {
    const source: DeliverySource = createRabbitmqSource({
      urls: [url],
      queueName,
      partitions: count,
      prefetch: 4_000,
      logger,
    });
    const member: Member = { inHand: new Map(), partitions: new Set(), leave };
    const recording = new Set<Promise<void>>();
    let batch: Delivery[] = [];
    async function record(): Promise<void> {
      const deliveries = batch;
      batch = [];
      await delay(20 + Math.random() * 20);
      for (const { body } of deliveries) {
        const item = itemOf(body);
        member.inHand.set(item, (member.inHand.get(item) ?? 0) - 1);
        seen.set(textOf(body), (seen.get(textOf(body)) ?? 0) + 1);
      }
      source.ack(deliveries);
    }
    await source.start(
      (delivery) => {
        const item = itemOf(delivery.body);
        member.partitions.add(partitionOf(item, count));
        for (const other of members) {
          if (other !== member && (other.inHand.get(item) ?? 0) > 0) overlaps.push(item);
        }
        member.inHand.set(item, (member.inHand.get(item) ?? 0) + 1);
        batch.push(delivery);
        if (batch.length > 1) return;
        const work = delay(10).then(record);
        recording.add(work);
        void work.finally(() => recording.delete(work));
      },
      () => undefined,
    );
    members.add(member);
    let left = false;
    async function leave(): Promise<void> {
      if (left) return;
      left = true;
      await source.stop(10_000);
      await Promise.all(recording);
      await source.close();
      members.delete(member);
    }
    ends.push(leave);
    return member;
  }
  return { url, queueName, seen, members, overlaps, publisher, join };
}

it('reaches a queue of its own with the routing key of each partition, whatever their number', async () => {
  for (const partitions of [2, 5, 16]) {
    const { url, queueName, publisher } = await group(partitions);
    await publisher();
    const { exchange, queues } = layoutOf(queueName, partitions);
    await withChannel(url, async (channel) => {
      for (const { routingKey } of queues) channel.publish(exchange, routingKey, Buffer.from('x'));
      for (const { name } of queues) {
        await waitFor(`the message for ${name}`, async () => (await channel.checkQueue(name)).messageCount === 1);
      }
    });
  }
});

it(
  'shares the partitions evenly within seconds as workers come and go, one item in one worker at a time, and loses nothing',
  { timeout: 60_000 },
  async () => {
    const PARTITIONS = 8;
    const { seen, members, overlaps, publisher, join } = await group(PARTITIONS);
    const queue = await publisher();
    // One a partition, so that each is nearly always in hand somewhere.
    const items = Array.from({ length: 2 * ITEMS }, (_, item) => item).filter(
      (item, _, all) =>
        item ===
        all.find((other) => partitionOf(`item-${other}`, PARTITIONS) === partitionOf(`item-${item}`, PARTITIONS)),
    );
    const sent: string[] = [];
    let publishing = true;
    ends.push(async () => (publishing = false));
    const load = (async () => {
      while (publishing) {
        const bodies = Array.from({ length: 20 }, (_, index) => {
          const n = sent.length + index;
          return message(items[n % items.length] ?? 0, n);
        });
        sent.push(...bodies.map(textOf));
        await queue.publish(bodies);
        await delay(5);
      }
    })();
    const shares = (): number[] => [...members].map(({ partitions }) => partitions.size);
    async function untilEven(): Promise<void> {
      await waitFor(
        `even shares among ${members.size}`,
        async () => {
          for (const member of members) member.partitions.clear();
          await delay(300);
          return shares().every((share) => share === PARTITIONS / members.size);
        },
        { deadlineMs: 15_000 },
      );
    }

    const [first, second] = [await join(), await join()];
    await untilEven();
    const [third, fourth] = [await join(), await join()];
    await untilEven();
    await first.leave();
    await third.leave();
    await untilEven();
    await second.leave();
    await untilEven();
    publishing = false;
    await load;
    await waitFor('everything', () => seen.size === sent.length);
    await fourth.leave();

    expect(new Set(sent)).toEqual(new Set(seen.keys()));
    expect([...seen.values()].filter((times) => times !== 1)).toEqual([]);
    expect(overlaps).toEqual([]);
  },
);

it(
  'drains what another number of partitions left, both ways, and the single queue too',
  { timeout: 60_000 },
  async () => {
    const { seen, publisher, join } = await group(1);
    const sent: string[] = [];
    for (const partitions of [1, 4, 6, 2, 1]) {
      const queue = await publisher(partitions);
      const bodies = Array.from({ length: ITEMS }, (_, item) => message(item, partitions * 1_000 + sent.length));
      sent.push(...bodies.map(textOf));
      await queue.publish(bodies);
      await queue.close();
    }
    for (const partitions of [2, 1]) {
      const worker = await join(partitions);
      await waitFor('everything', () => seen.size === sent.length);
      await worker.leave();
      sent.push(textOf(message(7, sent.length)));
      const queue = await publisher(6);
      await queue.publish([Buffer.from(sent.at(-1) ?? '')]);
    }
    await join(1);
    await waitFor('the last one', () => seen.size === sent.length);
    expect(new Set(seen.keys())).toEqual(new Set(sent));
    expect([...seen.values()].filter((times) => times !== 1)).toEqual([]);
  },
);

function message(item: number, n: number): Buffer {
  return Buffer.from(JSON.stringify({ v: 1, item: `item-${item}`, n }));
}

function textOf(body: Uint8Array): string {
  return Buffer.from(body).toString();
}

function itemOf(body: Uint8Array): string {
  return itemOfMessage(Buffer.from(body)) ?? '';
}

async function withChannel<T>(url: string, work: (channel: Channel) => Promise<T>): Promise<T> {
  const connection = await connect(url);
  const result = await work(await connection.createChannel());
  await connection.close();
  return result;
}
