import { connect, type Channel } from 'amqplib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { examineRabbitmq } from '../src/adapters/rabbitmq/rabbitmq-doctor.ts';
import { connectRabbitmqQueue } from '../src/adapters/rabbitmq/rabbitmq-queue.ts';
import { createRabbitmqSource } from '../src/adapters/rabbitmq/rabbitmq-source.ts';
import { createLogger } from '../src/runtime/logger.ts';
import { waitFor } from '../test/servers/wait-for.ts';
import { claimAddresses, type Addresses } from './stack/addresses.ts';
import type { Placement } from './stack/member.ts';
import { newSecrets, type User } from './stack/secrets.ts';
import { amqpUrl, startRabbitmq, type StartedBroker } from './stack/start-rabbitmq.ts';

const QUEUE = 'groundswell.interactions';
const PARTITIONS = `${QUEUE}.partitions`;
const logger = createLogger('silent', 'test');
let addresses: Addresses;
let node: Placement;
let server: StartedBroker;

beforeAll(async () => {
  addresses = await claimAddresses();
  const address = addresses.take();
  node = { name: 'rabbitmq', address, hosts: { rabbitmq: [address] }, secrets: newSecrets() };
  server = await startRabbitmq(node);
});
afterAll(async () => {
  await server?.stop();
  await addresses?.release();
});

const doctor = async (user: User, partitions = 1) =>
  examineRabbitmq('RabbitMQ', amqpUrl(node, user), { queueName: QUEUE, partitions });

it('before a worker has been there the doctor finds nothing wrong with any user', async () => {
  expect(await doctor('api', 3)).toMatchObject({
    ok: true,
    text: expect.stringContaining('the first worker makes it'),
  });
  expect(await doctor('worker', 3)).toMatchObject({ ok: true, text: expect.stringContaining('not there yet') });
  expect(await doctor('groundswell', 3)).toMatchObject({ ok: true });
});

it.each([1, 3])('what an API publishes to %i partitions a worker gets, each by its own user', async (partitions) => {
  const received: string[] = [];
  const source = createRabbitmqSource({
    urls: [amqpUrl(node, 'worker')],
    queueName: QUEUE,
    partitions,
    prefetch: 1_000,
    logger,
  });
  await source.start(
    (delivery) => {
      received.push(delivery.body.toString());
      source.ack([delivery]);
    },
    () => undefined,
  );
  await waitFor('the worker', () => source.ready());
  const queue = await connectRabbitmqQueue({
    urls: [amqpUrl(node, 'api')],
    queueName: QUEUE,
    partitions,
    deadlineMs: 5_000,
    maxInFlight: 100,
    logger,
  });
  await waitFor('the API', () => queue.fault() === null);
  const sent = Array.from({ length: 40 }, (_, item) => JSON.stringify({ item: String(item) }));
  await queue.publish(sent.map((body) => Buffer.from(body)));
  await waitFor('everything', () => received.length === sent.length);
  expect(received.toSorted()).toEqual(sent.toSorted());
  await queue.close();
  await source.stop(10_000);
  await source.close();
});

it('every queue is bounded by the policy of the definitions', async () => {
  const list = async (...words: string[]): Promise<Record<string, string>[]> =>
    JSON.parse(await server.ctl([...words, '--vhost=groundswell', '--quiet', '--formatter=json']));
  const policies = await list('list_policies');
  expect(policies).toMatchObject([{ name: 'bounded', definition: '{"max-length-bytes":1073741824}' }]);
  const queues = await list('list_queues', 'name', 'policy');
  expect(new Map(queues.map(({ name, policy }) => [name, policy]))).toEqual(
    new Map([QUEUE, `${QUEUE}.0`, `${QUEUE}.1`, `${QUEUE}.2`].map((name) => [name, 'bounded'])),
  );
});

it('the doctor knows an API and a worker by what they may do, with partitions too', async () => {
  for (const partitions of [1, 3]) {
    expect(await doctor('api', partitions)).toMatchObject({
      ok: true,
      text: expect.stringContaining('right for an API'),
    });
    expect(await doctor('groundswell', partitions)).toMatchObject({
      ok: true,
      text: expect.not.stringContaining('right for'),
    });
  }
  // To bind the single queue a worker must be able to write to what has the exchange's name.
  expect(await doctor('worker')).toMatchObject({ ok: true });
  expect(await doctor('worker', 3)).toMatchObject({ ok: true, text: expect.stringContaining('right for a worker') });
});

it.each<[User, string, (channel: Channel) => Promise<unknown>]>([
  ['api', 'consume', (channel) => channel.consume(QUEUE, () => undefined)],
  ['api', 'take a message of a partition', (channel) => channel.get(`${QUEUE}.0`)],
  ['api', 'make a queue', (channel) => channel.assertQueue(`${QUEUE}.9`)],
  ['api', 'empty the queue', (channel) => channel.purgeQueue(QUEUE)],
  ['api', 'take off a binding', (channel) => channel.unbindQueue(QUEUE, QUEUE, QUEUE)],
  ['api', 'publish past the exchange', (channel) => published(channel, '')],
  ['worker', 'publish to the partitions', (channel) => published(channel, PARTITIONS)],
  ['worker', 'publish past the exchange', (channel) => published(channel, '')],
  ['worker', 'make a queue of another name', (channel) => channel.assertQueue('groundswell.others')],
  ['worker', 'make an exchange of another name', (channel) => channel.assertExchange('groundswell.others', 'fanout')],
  ['worker', 'bind to an exchange of others', (channel) => channel.bindQueue(QUEUE, 'amq.topic', '#')],
  ['groundswell', 'make a queue of another name', (channel) => channel.assertQueue('groundswell.others')],
])('%s may not %s', async (user, _, work) => {
  const connection = await connect(amqpUrl(node, user));
  connection.on('error', () => undefined);
  try {
    const channel = await connection.createChannel();
    // A publish has no answer: its refusal comes as an event.
    const refused = new Promise((_resolve, reject) => channel.on('error', reject));
    await expect(Promise.race([refused, work(channel)])).rejects.toThrow(/ACCESS_REFUSED/);
  } finally {
    await connection.close();
  }
});

async function published(channel: Channel, exchange: string): Promise<void> {
  channel.publish(exchange, QUEUE, Buffer.from('x'));
  // Any call with an answer: what was refused before it has closed the channel by then.
  await channel.checkQueue(QUEUE);
}
