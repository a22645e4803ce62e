import { connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectRabbitmqQueue, type RabbitmqQueue } from '../../src/adapters/rabbitmq/rabbitmq-queue.ts';
import { UnavailableError } from '../../src/runtime/errors.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { startCommand } from '../commands/start-command.ts';
import { runCommand } from '../commands/run-command.ts';
import { createTestDatabase } from '../servers/create-test-database.ts';
import { startRabbitmqCluster, type RabbitmqCluster } from '../servers/start-rabbitmq-cluster.ts';
import { waitFor } from '../servers/wait-for.ts';
import { differences, isRecorded, startLedgerLoad } from './ledger-load.ts';
import { asAdmin, ask } from './system.ts';

const PARTITIONS = 3;
const QUEUE = 'groundswell.interactions';
const ITEMS = Array.from({ length: 30 }, (_, n) => `item-${n}`);

describe('a RabbitMQ cluster', () => {
  let cluster: RabbitmqCluster;
  beforeAll(async () => {
    cluster = await startRabbitmqCluster({ size: 3, plugins: ['rabbitmq_consistent_hash_exchange'] });
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  it(
    'loses each of its nodes in turn under load, and what was accepted is counted once',
    { timeout: 600_000 },
    async () => {
      await using database = await createTestDatabase();
      const env = {
        DATABASE_URL: database.url,
        AMQP_URL: cluster.amqpUrl,
        QUEUE_NAME: QUEUE,
        QUEUE_PARTITIONS: String(PARTITIONS),
        // A node that starts anew takes most of two cores: nobody promises a confirm or a row of the outbox within half a second there.
        QUEUE_PUBLISH_DEADLINE_MS: '1500',
        LOG_LEVEL: 'warn',
      };
      expect((await runCommand('migrate', env)).exitCode).toBe(0);
      await using api = await startCommand('api', env);
      await using _worker = await startCommand('worker', env);
      const system = { url: api.url, env, databaseUrl: database.url, [Symbol.asyncDispose]: async () => undefined };
      const items = ITEMS.map((id) => ({ id, title: id }));
      const made = await ask(
        system,
        'mutation ($items: [ItemInput!]!) { upsertItems(items: $items) { userErrors { code } } }',
        { items },
        asAdmin,
      );
      expect(made.body.errors).toBeUndefined();
      const queues = [QUEUE, ...Array.from({ length: PARTITIONS }, (_, index) => `${QUEUE}.${index}`)];
      for (const node of cluster.nodes) for (const queue of queues) await node.whenQueueIsOnDisk(queue);

      await using load = startLedgerLoad(api.url, { clients: 6, gapMs: 30, items: ITEMS });
      const throughBroker = (): Promise<number> => published(api.metricsUrl, 'rabbitmq');
      for (const node of cluster.nodes) {
        await waitFor('the broker to take a share', grownBy(throughBroker, 50));
        await node.kill();
        // Two of three are a majority: they go on, and not by the outbox alone.
        await waitFor('the other nodes to take over', grownBy(throughBroker, 100)).catch((error: unknown) => {
          throw new Error(api.output().slice(-4_000), { cause: error });
        });
        await node.restart();
        for (const queue of queues) await waitFor('its part of the queue', () => knows(node.url, queue));
      }
      await load.stop();

      expect(load.failures).toEqual([]);
      await waitFor('all to be recorded', () => isRecorded(database.url, load));
      expect(await differences(database.url, load)).toEqual([]);
      expect(load.accepted.size).toBeGreaterThan(450);
    },
  );

  it('has no leader for a queue for a while: a publisher that was refused meanwhile is confirmed afterwards', async () => {
    const [leading, asked, frozen] = cluster.nodes;
    if (leading === undefined || asked === undefined || frozen === undefined) throw new Error('three nodes');
    const queueName = 'without-leader';
    // The node that declares a queue leads it.
    await using _declared = await publisherAt(leading.url, queueName);
    for (const node of cluster.nodes) await node.whenQueueIsOnDisk(queueName);
    await using queue = await publisherAt(asked.url, queueName);
    frozen.pause();
    await leading.kill();
    await expect(queue.publish([Buffer.from('refused')])).rejects.toEqual(
      new UnavailableError('RabbitMQ: a message was refused'),
    );
    frozen.resume();
    await waitFor('a confirm', () => isPublished(queue));
  });
});

type Publisher = RabbitmqQueue & AsyncDisposable;

async function publisherAt(url: string, queueName: string): Promise<Publisher> {
  const logger = createLogger('silent', 'test');
  const queue = await connectRabbitmqQueue({ urls: [url], queueName, deadlineMs: 10_000, maxInFlight: 10, logger });
  expect(queue.fault()).toBeNull();
  return { ...queue, [Symbol.asyncDispose]: () => queue.close() };
}

async function isPublished(queue: RabbitmqQueue): Promise<boolean> {
  await queue.publish([Buffer.from('confirmed')]);
  return true;
}

/** True once a count that only grows has grown by so much since the first look. */
function grownBy(count: () => Promise<number>, least: number): () => Promise<boolean> {
  let from: number | undefined;
  return async () => {
    const now = await count();
    from ??= now;
    return now - from >= least;
  };
}

async function published(metricsUrl: string, queue: string): Promise<number> {
  const page = await (await fetch(`${metricsUrl}/metrics`)).text();
  return Number(new RegExp(`^groundswell_published_total\\{queue="${queue}"\\} (\\d+)$`, 'm').exec(page)?.[1] ?? 0);
}

async function knows(url: string, queue: string): Promise<boolean> {
  const connection = await connect(url, { timeout: 2_000 });
  connection.on('error', () => undefined);
  try {
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    await channel.checkQueue(queue);
    return true;
  } finally {
    await connection.close().catch(() => undefined);
  }
}
