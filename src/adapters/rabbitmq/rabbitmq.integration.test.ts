import { connect, type Channel, type ConfirmChannel, type ConsumeMessage } from 'amqplib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { describeQueueContract } from '../../../test/contracts/queue-contract.ts';
import { createFaultProxy } from '../../../test/faults/fault-proxy.ts';
import { startRabbitmq, type RabbitmqServer } from '../../../test/servers/start-rabbitmq.ts';
import { testQueue } from '../../../test/servers/test-queue.ts';
import { waitFor } from '../../../test/servers/wait-for.ts';
import { withPort } from '../../../test/servers/with-port.ts';
import type { Delivery, DeliverySource } from '../../interactions/queue.ts';
import { UnavailableError } from '../../runtime/errors.ts';
import { createLogger } from '../../runtime/logger.ts';
import type { Span } from '../../runtime/tracing.ts';
import { layoutOf, partitionOf, queueNames } from './rabbitmq-partitions.ts';
import { connectRabbitmqQueue, type RabbitmqQueue, type RabbitmqQueueOptions } from './rabbitmq-queue.ts';
import { createRabbitmqSource } from './rabbitmq-source.ts';

const logger = createLogger('silent', 'test');
const DEADLINE_MS = 700;
const ignore = (): void => undefined;
const NO_SPAN: Span = {
  traceparent: '',
  fields: { trace_id: '', span_id: '' },
  rename: ignore,
  set: ignore,
  fail: ignore,
  child: (_kind, _name, _attributes, work) => work(NO_SPAN),
  within: (work) => work(),
};

for (const partitions of [1, 4]) {
  describeQueueContract(partitions === 1 ? 'RabbitMQ' : `RabbitMQ, ${partitions} partitions`, async () => {
    const { url, queue: queueName } = testQueue();
    const shared = { urls: [url], queueName, partitions, logger };
    const queue = await connectRabbitmqQueue({ ...shared, deadlineMs: 10_000, maxInFlight: 5_000 });
    const layouts = [layoutOf(queueName, partitions), layoutOf(queueName, 1)];
    return {
      queue,
      createSource: ({ prefetch }) => createRabbitmqSource({ ...shared, prefetch }),
      commit: () => Promise.resolve(),
      closeQueue: () => queue.close(),
      async dispose() {
        await queue.close();
        for (const { exchange, queues } of layouts) {
          for (const { name } of queues) await withChannel(url, (channel) => channel.deleteQueue(name));
          await withChannel(url, (channel) => channel.deleteExchange(exchange));
        }
      },
    };
  });
}

describe('RabbitMQ', () => {
  const ends: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end();
  });

  async function publisher(options: Pick<RabbitmqQueueOptions, 'urls' | 'queueName'> & Partial<RabbitmqQueueOptions>) {
    const queue = await connectRabbitmqQueue({ deadlineMs: DEADLINE_MS, maxInFlight: 1_000, logger, ...options });
    ends.push(() => queue.close());
    return queue;
  }
  async function consumer(url: string, queueName: string, { partitions = 1 } = {}): Promise<Delivery[]> {
    const source = createRabbitmqSource({ urls: [url], queueName, partitions, prefetch: 4_000, logger });
    ends.push(() => source.close());
    const got: Delivery[] = [];
    await source.start((delivery) => {
      got.push(delivery);
      source.ack([delivery]);
    }, ignore);
    return got;
  }

  /** Starts it; gives how many it has taken. Settled at once, so that the next ones are on their way whenever it is stopped. */
  async function settleAtOnce(source: DeliverySource): Promise<() => number> {
    ends.push(() => source.close());
    let taken = 0;
    await source.start((delivery) => {
      taken += 1;
      source.ack([delivery]);
    }, ignore);
    await waitFor('the source', () => source.ready());
    return () => taken;
  }
  async function confirmChannel(url: string): Promise<ConfirmChannel> {
    const broker = await connect(url);
    ends.push(() => broker.close());
    return broker.createConfirmChannel();
  }
  /** Takes at least so many messages out of the queues: of each, whether it had been handed out before. */
  async function takeRest(channel: Channel, queues: readonly string[], atLeast: number): Promise<boolean[]> {
    const redelivered: boolean[] = [];
    const onMessage = (message: ConsumeMessage | null): void =>
      void (message !== null && redelivered.push(message.fields.redelivered));
    for (const queue of queues) await channel.consume(queue, onMessage, { noAck: true });
    await waitFor('every message', () => redelivered.length >= atLeast);
    return redelivered;
  }

  it('fails a publish that no queue takes, and puts the missing binding back', async () => {
    const { url, queue: queueName } = testQueue();
    const queue = await publisher({ urls: [url], queueName });
    await queue.publish([Buffer.from('before')]);
    await withChannel(url, (channel) => channel.unbindQueue(queueName, queueName, queueName));
    await expect(queue.publish([Buffer.from('lost')])).rejects.toBeInstanceOf(UnavailableError);
    await waitFor('publishing to work again', () => published(queue, 'after'));
    const got = await consumer(url, queueName);
    await waitFor('both deliveries', () => got.length === 2);
    expect(textsOf(got)).toEqual(['before', 'after']);
  });

  it('uses a queue that exists with other arguments', async () => {
    const { url, queue: queueName } = testQueue();
    await withChannel(url, (channel) => channel.assertQueue(queueName, { durable: true }));
    const queue = await publisher({ urls: [url], queueName });
    await queue.publish([Buffer.from('a')]);
    const got = await consumer(url, queueName);
    await waitFor('the delivery', () => got.length === 1);
  });

  it('fails a publish to a full queue as unavailable and stays connected', async () => {
    const { url, queue: queueName } = testQueue();
    const full = { 'x-queue-type': 'quorum', 'x-overflow': 'reject-publish', 'x-max-length': 1 };
    await withChannel(url, (channel) => channel.assertQueue(queueName, { durable: true, arguments: full }));
    const queue = await publisher({ urls: [url], queueName });
    // The limit of a quorum queue takes hold a little late.
    await waitFor('a refusal', async () => !(await published(queue, 'more')));
    expect(queue.fault()).toBeNull();
  });

  it('waits for room when too much is in flight, and loses nothing of it', async () => {
    const { url, queue: queueName } = testQueue();
    const queue = await publisher({
      urls: [url],
      queueName,
      maxInFlight: 10,
      maxInFlightBytes: 100,
      deadlineMs: 20_000,
    });
    await Promise.all(
      Array.from({ length: 500 }, async (_, index) => queue.publish([Buffer.from(`message ${index}`)])),
    );
    await queue.publish(Array.from({ length: 50 }, () => Buffer.from('more than fits at once')));
    const got = await consumer(url, queueName);
    await waitFor('all deliveries', () => got.length === 550);
    expect(new Set(textsOf(got)).size).toBe(501);
  });

  it('packs what is published in one turn into few messages, and settles each when all it holds is settled', async () => {
    const { url, queue: queueName } = testQueue();
    const queue = await publisher({ urls: [url], queueName, deadlineMs: 20_000 });
    await Promise.all(Array.from({ length: 100 }, async (_, index) => queue.publish([Buffer.from(`body ${index}`)])));
    const countReady = () => withChannel(url, async (channel) => (await channel.checkQueue(queueName)).messageCount);
    expect(await countReady()).toBeLessThanOrEqual(10);

    const source: DeliverySource = createRabbitmqSource({ urls: [url], queueName, prefetch: 4_000, logger });
    const got: Delivery[] = [];
    await source.start((delivery) => got.push(delivery), ignore);
    await waitFor('all deliveries', () => got.length === 100);
    expect(new Set(textsOf(got)).size).toBe(100);
    const [first, ...others] = got;
    source.ack(others);
    await source.close();
    const again = await consumer(url, queueName);
    await waitFor('the message with the body that was not settled', () => textsOf(again).includes('body 0'));
    expect(textsOf(first === undefined ? [] : [first])).toEqual(['body 0']);
    expect(again.length).toBeLessThan(100);
    expect(again.every(({ redeliveries }) => redeliveries === 1)).toBe(true);
    await waitFor('an empty queue', async () => (await countReady()) === 0);
  });

  for (const partitions of [1, 4]) {
    it(`leaves nothing redelivered to the next consumer when it is stopped amid a stream and what came is settled: ${partitions} partitions`, async () => {
      const { url, queue: queueName } = testQueue();
      const count = 5_000;
      const source: DeliverySource = createRabbitmqSource({
        urls: [url],
        queueName,
        partitions,
        prefetch: 4_000,
        logger,
      });
      const taken = await settleAtOnce(source);
      const channel = await confirmChannel(url);
      const queues = queueNames({ queueName, partitions });
      for (let n = 0; n < count; n += 1) {
        channel.sendToQueue(queues[n % queues.length] ?? '', Buffer.from(`message ${n}`));
      }
      await waitFor('the stream', () => taken() > 100, { everyMs: 1 });
      await source.stop(10_000);
      await source.close();
      await channel.waitForConfirms();

      const left = await takeRest(channel, queues, count - taken());
      expect(taken() + left.length).toBe(count);
      expect(left.length).toBeGreaterThan(0);
      expect(left.filter((redelivered) => redelivered)).toEqual([]);
    });
  }

  it('says that what it brought comes again once its connection is lost', async () => {
    const { url, queue: queueName } = testQueue();
    const proxy = await createFaultProxy(Number(new URL(url).port));
    ends.push(() => proxy.close());
    const queue = await publisher({ urls: [url], queueName });
    await queue.publish([Buffer.from('a')]);
    const source = createRabbitmqSource({ urls: [withPort(url, proxy.port)], queueName, prefetch: 4_000, logger });
    ends.push(() => source.close());
    const heard: string[] = [];
    const onDelivery = ({ redeliveries }: Delivery): void => void heard.push(`handed out, again ${redeliveries}`);
    await source.start(onDelivery, ignore, () => heard.push('lost'));
    await waitFor('the delivery', () => heard.length === 1);
    proxy.reset();
    await waitFor('it to come again', () => heard.length === 3);
    expect(heard).toEqual(['handed out, again 0', 'lost', 'handed out, again 1']);
  });

  it('is left amid a trickle only once a consumer has used up its prefetch, and nothing is redelivered', async () => {
    const { url, queue: queueName } = testQueue();
    const source = createRabbitmqSource({ urls: [url], queueName, prefetch: 8_000, logger });
    const taken = await settleAtOnce(source);
    const channel = await confirmChannel(url);
    let sent = 0;
    const trickle = setInterval(() => {
      channel.sendToQueue(queueName, Buffer.from(`message ${sent}`));
      sent += 1;
    }, 25);
    ends.push(async () => clearInterval(trickle));
    await waitFor('the trickle', () => taken() > 5);
    const takenBefore = taken();
    await source.stop(10_000);
    // A tenth of a second is enough to see that so few do not use up what a worker takes at a time.
    expect(taken() - takenBefore).toBeGreaterThanOrEqual(8);
    await source.close();
    clearInterval(trickle);
    await channel.waitForConfirms();

    const left = await takeRest(channel, [queueName], sent - taken());
    expect(left.filter((redelivered) => redelivered)).toEqual([]);
  });

  it('brings each body its own trace, though they share a message', async () => {
    const { url, queue: queueName } = testQueue();
    const queue = await publisher({ urls: [url], queueName, deadlineMs: 20_000 });
    const traceparent = (id: string) => `00-${id.repeat(32)}-${id.repeat(16)}-01`;
    const traced = (id: string) => ({ span: { ...NO_SPAN, traceparent: traceparent(id) } });
    await Promise.all([
      queue.publish([Buffer.from('a')]),
      queue.publish([Buffer.from('b'), Buffer.from('c')], traced('b')),
      queue.publish([Buffer.from('d')], traced('d')),
    ]);
    const got = await consumer(url, queueName);
    await waitFor('all deliveries', () => got.length === 4);
    const [of, none] = [traceparent, null];
    expect(textsOf(got)).toEqual(['a', 'b', 'c', 'd']);
    expect(got.map(({ traceparent }) => traceparent)).toEqual([none, of('b'), of('b'), of('d')]);
  });

  it('hands out a message again whole when one of its bodies is given back', async () => {
    const { url, queue: queueName } = testQueue();
    const queue = await publisher({ urls: [url], queueName });
    await queue.publish(['a', 'b', 'c'].map((text) => Buffer.from(text)));
    const source: DeliverySource = createRabbitmqSource({ urls: [url], queueName, prefetch: 4_000, logger });
    ends.push(() => source.close());
    const got: Delivery[] = [];
    await source.start((delivery) => got.push(delivery), ignore);
    await waitFor('all deliveries', () => got.length === 3);
    source.ack(got.slice(0, 1));
    source.requeue(got.slice(1, 2));
    // Its message has gone back by now.
    source.ack(got.slice(2, 3));
    await waitFor('all deliveries again', () => got.length === 6);
    expect(textsOf(got.slice(3))).toEqual(['a', 'b', 'c']);
    source.ack(got.slice(3));
  });

  it('consumes again after its queue was deleted under it', async () => {
    const { url, queue: queueName } = testQueue();
    const queue = await publisher({ urls: [url], queueName });
    const got = await consumer(url, queueName);
    await queue.publish([Buffer.from('first')]);
    await waitFor('the first delivery', () => got.length === 1);
    await withChannel(url, (channel) => channel.deleteQueue(queueName));
    await waitFor('publishing to work again', () => published(queue, 'second'));
    await waitFor('the second delivery', () => textsOf(got).includes('second'));
  });

  describe('with a broker that fails', () => {
    let server: RabbitmqServer;
    beforeAll(async () => {
      server = await startRabbitmq({ plugins: ['rabbitmq_consistent_hash_exchange'] });
    });
    afterAll(() => server?.stop());

    it('starts without a broker, fails at once, and works as soon as there is one', async () => {
      const queueName = 'late';
      await server.kill();
      const queue = await publisher({ urls: [server.url], queueName });
      const got = await consumer(server.url, queueName);
      const startedAtMs = performance.now();
      expect(await published(queue, 'too early')).toBe(false);
      expect(performance.now() - startedAtMs).toBeLessThan(DEADLINE_MS);
      await server.restart();
      await waitFor('publishing to work', () => published(queue, 'now'));
      await waitFor('the delivery', () => textsOf(got).includes('now'));
    });

    it('goes on publishing and consuming by itself after the broker is killed and comes back', async () => {
      const queueName = 'killed';
      const queue = await publisher({ urls: ['amqp://127.0.0.1:1', server.url], queueName });
      await waitFor('the node that is there', () => published(queue, 'before'));
      const got = await consumer(server.url, queueName);
      await waitFor('the first delivery', () => textsOf(got).includes('before'));
      await server.whenQueueIsOnDisk(queueName);
      await server.kill();
      expect(await published(queue, 'during')).toBe(false);
      await server.restart();
      await waitFor('publishing to work', () => published(queue, 'after'));
      await waitFor('the delivery', () => textsOf(got).includes('after'));
    });

    it('goes on by itself after the broker is restarted in good order', async () => {
      const queueName = 'restarted';
      const queue = await publisher({ urls: [server.url], queueName });
      const got = await consumer(server.url, queueName);
      await waitFor('the first delivery', async () => {
        await published(queue, 'before');
        return textsOf(got).includes('before');
      });
      await server.restart();
      await waitFor('publishing to work', () => published(queue, 'after'));
      await waitFor('the delivery', () => textsOf(got).includes('after'));
    });

    it('answers within the deadline when the broker hangs, then at once, in bounded memory, and recovers', async () => {
      const queue = await publisher({ urls: [server.url], queueName: 'hangs' });
      await waitFor('a confirm', () => published(queue, 'warm'));
      server.pause();
      ends.push(async () => server.resume());
      const body = Buffer.alloc(10_000, 'x');
      const hurriedAtMs = performance.now();
      await expect(queue.publish([body], { withinMs: 1 })).rejects.toThrow(UnavailableError);
      expect(performance.now() - hurriedAtMs).toBeLessThan(DEADLINE_MS / 2);
      const startedAtMs = performance.now();
      const first = await Promise.allSettled(Array.from({ length: 2_000 }, async () => queue.publish([body])));
      const firstTookMs = performance.now() - startedAtMs;
      expect(first.every(({ status }) => status === 'rejected')).toBe(true);
      expect(firstTookMs).toBeLessThan(DEADLINE_MS + 800);

      const bytesBefore = process.memoryUsage().rss;
      for (let round = 0; round < 20_000; round += 1) expect(await published(queue, 'x'.repeat(10_000))).toBe(false);
      expect(performance.now() - startedAtMs - firstTookMs).toBeLessThan(10_000);
      expect(process.memoryUsage().rss - bytesBefore).toBeLessThan(150 * 1024 * 1024);

      server.resume();
      await waitFor('publishing to work', () => published(queue, 'after'));
    });

    it('consumes the other partitions while one does not answer, and that one too once it does', async () => {
      const [queueName, partitions] = ['half', 4];
      const queue = await publisher({ urls: [server.url], queueName, partitions });
      const items = Array.from({ length: 100 }, (_, n) => `item-${n}`);
      const bodies = [0, 1, 2, 3].map((partition) => {
        const item = items.find((one) => partitionOf(one, partitions) === partition);
        return JSON.stringify({ v: 1, item });
      });
      for (const body of bodies) await waitFor('a confirm', () => published(queue, body));
      const ra = `whereis('%2F_${layoutOf(queueName, partitions).queues[0]?.name}')`;
      await server.ctl(['eval', `sys:suspend(${ra}).`]);
      const got = await consumer(server.url, queueName, { partitions });
      const missing = (): string[] => bodies.filter((body) => !textsOf(got).includes(body));
      await waitFor('the others', () => missing().length === 1);
      // Longer than a queue that answers would take.
      await server.ctl(['eval', 'ok.']);
      expect(missing()).toHaveLength(1);
      await server.ctl(['eval', `sys:resume(${ra}).`]);
      await waitFor('the one', () => missing().length === 0);
    });

    it('fails at once under a memory alarm', async () => {
      await server.ctl(['set_vm_memory_high_watermark', '0.000001']);
      const queue = await publisher({ urls: [server.url], queueName: 'alarm', deadlineMs: 20_000 });
      await waitFor('the connection', () => queue.fault() === null);
      // The broker speaks of its alarm only to who publishes.
      const startedAtMs = performance.now();
      await expect(queue.publish([Buffer.from('a')])).rejects.toThrow(/alarm/);
      expect(performance.now() - startedAtMs).toBeLessThan(1_000);
      expect(queue.fault()).toMatch(/alarm/);
      await expect(queue.publish([Buffer.from('b')])).rejects.toThrow(/alarm/);
      await server.ctl(['set_vm_memory_high_watermark', '0.4']);
      await waitFor('publishing to work', () => published(queue, 'after'));
    });
  });
});

async function published(queue: RabbitmqQueue, text: string): Promise<boolean> {
  try {
    await queue.publish([Buffer.from(text)]);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(UnavailableError);
    return false;
  }
}

async function withChannel<T>(
  url: string,
  work: (channel: Awaited<ReturnType<Awaited<ReturnType<typeof connect>>['createChannel']>>) => Promise<T>,
): Promise<T> {
  const connection = await connect(url);
  const result = await work(await connection.createChannel());
  await connection.close();
  return result;
}

function textsOf(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(({ body }) => Buffer.from(body).toString());
}
