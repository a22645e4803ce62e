import { join } from 'node:path';
import { connect } from 'amqplib';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { makeSecrets } from '../../../deploy/make-secrets.mjs';
import { connectRabbitmqQueue } from '../../../src/adapters/rabbitmq/rabbitmq-queue.ts';
import {
  layoutOf,
  MAX_PARTITIONS,
  partitionName,
  queueNames,
} from '../../../src/adapters/rabbitmq/rabbitmq-partitions.ts';
import { declareTopology } from '../../../src/adapters/rabbitmq/rabbitmq-topology.ts';
import { CONFIG_VARIABLES } from '../../../src/config-variables.ts';
import { createLogger } from '../../../src/runtime/logger.ts';
import { freePort } from '../../servers/free-port.ts';
import { startRabbitmq } from '../../servers/start-rabbitmq.ts';
import { testDirectory } from '../../servers/test-run.ts';
import { waitFor } from '../../servers/wait-for.ts';
import { buildManifests } from './manifests.ts';

const TRIGGER = z.object({
  triggers: z.tuple([
    z.object({
      type: z.literal('rabbitmq'),
      metadata: z.strictObject({
        protocol: z.literal('http'),
        queueName: z.string(),
        useRegex: z.literal('true'),
        operation: z.literal('sum'),
        mode: z.literal('QueueLength'),
        excludeUnacknowledged: z.literal('true'),
        value: z.string().regex(/^\d+$/),
      }),
      authenticationRef: z.object({ name: z.string() }),
    }),
  ]),
});
/** What KEDA asks for unless told otherwise. */
const PAGE_SIZE = 100;
const QUEUE = CONFIG_VARIABLES.find(({ name }) => name === 'QUEUE_NAME')?.default ?? '';
const logger = createLogger('silent', 'test');

async function trigger() {
  const manifests = await buildManifests();
  const [only] = TRIGGER.parse(manifests.named('ScaledObject', 'groundswell-worker').spec).triggers;
  return { ...only, auth: manifests.named('TriggerAuthentication', only.authenticationRef.name).spec };
}

it('KEDA watches the single queue and each partition that there can be, with a URL from its own secret', async () => {
  const { metadata, auth } = await trigger();
  expect(auth).toEqual({ secretTargetRef: [{ parameter: 'host', name: 'groundswell-keda', key: 'RABBITMQ_URL' }] });
  const pattern = new RegExp(metadata.queueName);
  const all = queueNames({ queueName: QUEUE, partitions: MAX_PARTITIONS });
  expect(all.filter((name) => !pattern.test(name))).toEqual([]);
  expect(all.length).toBeLessThanOrEqual(PAGE_SIZE);
  for (const other of [`${QUEUE}.partitions`, `${QUEUE}s`, `x.${QUEUE}`, partitionName(`${QUEUE}x`, 1)])
    expect(pattern.test(other)).toBe(false);
});

it('KEDA, as the user that may only look, is told what waits in all of them together', async () => {
  const { metadata } = await trigger();
  const folder = testDirectory('autoscaler');
  const secrets = makeSecrets(folder);
  const port = await freePort();
  await using broker = await startRabbitmq({
    plugins: ['rabbitmq_management', 'rabbitmq_consistent_hash_exchange'],
    config: [
      'management.tcp.ip = 127.0.0.1',
      `management.tcp.port = ${port}`,
      // In the test's own second; the default is 5 s.
      'collect_statistics_interval = 1000',
    ].join('\n'),
  });
  await broker.ctl(['import_definitions', join(folder, 'secrets/definitions.json')]);
  const as = (user: string, password = ''): string => `amqp://${user}:${password}@127.0.0.1:${broker.port}/groundswell`;
  const partitions = 4;
  const worker = await connect(as('worker', secrets['WORKER_RABBITMQ_PASSWORD']));
  for (const count of [1, partitions]) await declareTopology(worker, layoutOf(QUEUE, count), logger);
  const sent = { 1: 3, [partitions]: 40 };
  for (const [count, messages] of Object.entries(sent)) {
    const queue = await connectRabbitmqQueue({
      urls: [as('api', secrets['API_RABBITMQ_PASSWORD'])],
      queueName: QUEUE,
      partitions: Number(count),
      deadlineMs: 10_000,
      maxInFlight: 100,
      logger,
    });
    await waitFor('the API', () => queue.fault() === null);
    // Each in a turn of its own, and so in a message of its own.
    for (let item = 0; item < messages; item += 1) {
      await queue.publish([Buffer.from(JSON.stringify({ item: String(item) }))]);
    }
    await queue.close();
  }
  // In a worker's hands: not waiting.
  const channel = await worker.createChannel();
  expect(await channel.get(QUEUE)).not.toBe(false);

  // As KEDA does: pkg/scalers/rabbitmq_scaler.go.
  const url =
    `http://127.0.0.1:${port}/api/queues/groundswell?page=1&use_regex=true&pagination=false` +
    `&name=${encodeURIComponent(metadata.queueName)}&page_size=${PAGE_SIZE}`;
  const headers = { authorization: `Basic ${btoa(`monitor:${secrets['MONITOR_PASSWORD']}`)}` };
  const page = z.object({ items: z.array(z.object({ name: z.string(), messages_ready: z.number().default(0) })) });
  await waitFor('what waits to be told', async () => {
    const { items } = page.parse(await (await fetch(url, { headers })).json());
    const ready = items.reduce((sum, item) => sum + item.messages_ready, 0);
    const names = items.map(({ name }) => name).toSorted();
    if (names.length !== 1 + partitions || ready !== 42) throw new Error(`${names.join(', ')}: ${ready}`);
    return true;
  });
  // And it may do nothing else.
  const purged = await fetch(`http://127.0.0.1:${port}/api/queues/groundswell/${QUEUE}/contents`, {
    method: 'DELETE',
    headers,
  });
  expect(purged.status).toBe(401);
  await worker.close();
});
