import { connect, type ConfirmChannel, type ConsumeMessage } from 'amqplib';
import { Client } from 'pg';
import { beforeEach, describe, expect, it } from 'vitest';
import { queueNames } from '../../src/adapters/rabbitmq/rabbitmq-partitions.ts';
import { encodeMessage } from '../../src/interactions/message.ts';
import { newInteractionId } from '../../src/interactions/interaction-id.ts';
import { viewerKeyOf } from '../../src/interactions/viewer-key.ts';
import { runCommand } from '../commands/run-command.ts';
import { startCommand, type RunningCommand } from '../commands/start-command.ts';
import { createTestDatabase, type TestDatabase } from '../servers/create-test-database.ts';
import { query } from '../servers/query.ts';
import { testQueue } from '../servers/test-queue.ts';
import { waitFor } from '../servers/wait-for.ts';

const MESSAGES = 10_000;

let database: TestDatabase;
let env: Record<string, string>;
let broker: ReturnType<typeof testQueue>;

beforeEach(async () => {
  database = await createTestDatabase();
  broker = testQueue();
  env = { DATABASE_URL: database.url, AMQP_URL: broker.url, QUEUE_NAME: broker.queue, LOG_LEVEL: 'info' };
  expect((await runCommand('migrate', env)).exitCode).toBe(0);
  await query(database.url, "INSERT INTO items (id, title) VALUES ('a', 'A')");
  return () => database.drop();
});

async function recorded(): Promise<number> {
  return Number((await query(database.url, 'SELECT count(*)::int AS n FROM interactions'))[0]?.['n']);
}

/** A worker that consumes. */
async function startWorker(more: Record<string, string> = {}): Promise<RunningCommand> {
  const worker = await startCommand('worker', { ...env, ...more });
  await waitFor('the worker to be ready', async () => (await fetch(`${worker.metricsUrl}/health/ready`)).ok);
  return worker;
}

function messageOf(n: number): Buffer {
  return encodeMessage({
    id: newInteractionId(),
    itemId: 'a',
    viewer: viewerKeyOf({ deviceId: `device-${n}` }),
    type: 'VIEW',
    retraction: false,
    metadata: null,
    acceptedAtMs: Date.now(),
  });
}

/** One interaction a message, to each of the queues in turn, confirmed. */
async function publish(count: number, queues: readonly string[] = [broker.queue]): Promise<void> {
  const connection = await connect(broker.url);
  const channel = await connection.createConfirmChannel();
  for (let n = 0; n < count; n += 1) send(channel, n, queues);
  await channel.waitForConfirms();
  await connection.close();
}

function send(channel: ConfirmChannel, n: number, queues: readonly string[]): void {
  const queue = queues[n % queues.length] ?? '';
  channel.sendToQueue(queue, messageOf(n), { persistent: true, contentType: 'application/json' });
}

/** All that is in the queues, taken out of them: how many were there, and how many had been handed out before. */
async function takeAll(queues: readonly string[]): Promise<{ left: number; redelivered: number }> {
  const connection = await connect(broker.url);
  const channel = await connection.createChannel();
  let left = 0;
  let redelivered = 0;
  const onMessage = (message: ConsumeMessage | null): void => {
    left += 1;
    if (message?.fields.redelivered === true) redelivered += 1;
  };
  let waiting = 0;
  for (const queue of queues) {
    waiting += (await channel.checkQueue(queue)).messageCount;
    await channel.consume(queue, onMessage, { noAck: true });
  }
  await waitFor('all that is left', () => left >= waiting);
  await connection.close();
  return { left, redelivered };
}

describe.for([1, 4])('with %i partitions', (partitions) => {
  const startMember = (): Promise<RunningCommand> => startWorker({ QUEUE_PARTITIONS: String(partitions) });
  let queues: readonly string[];
  beforeEach(() => {
    queues = queueNames({ queueName: broker.queue, partitions });
  });

  it('a worker that is stopped amid load leaves nothing that was handed out before: all it held is recorded', async () => {
    await using worker = await startMember();
    const publishing = publish(MESSAGES, queues);
    await waitFor('all queues to flow', async () => (await recorded()) > 100, { everyMs: 5 });
    worker.signal('SIGTERM');
    expect(await worker.ended()).toBe(0);
    await publishing;

    const { left, redelivered } = await takeAll(queues);
    expect(left, 'the load went on').toBeGreaterThan(0);
    expect(redelivered).toBe(0);
    expect((await recorded()) + left).toBe(MESSAGES);
  });

  it('nor does one that is stopped amid an even trickle, which leaves the queue no quiet moment', async () => {
    const connection = await connect(broker.url);
    const channel = await connection.createConfirmChannel();
    let sent = 0;
    let trickle: NodeJS.Timeout | undefined;
    for (let stops = 0; stops < 3; stops += 1) {
      await using worker = await startMember();
      trickle ??= setInterval(() => {
        send(channel, sent, queues);
        sent += 1;
      }, 5);
      const before = await recorded();
      await waitFor('it to record', async () => (await recorded()) > before, { everyMs: 5 });
      worker.signal('SIGTERM');
      expect(await worker.ended()).toBe(0);
    }
    clearInterval(trickle);
    await channel.waitForConfirms();
    await connection.close();
    const { left, redelivered } = await takeAll(queues);
    expect(redelivered).toBe(0);
    expect((await recorded()) + left).toBe(sent);
  });
});

it('a second signal ends a worker at once that cannot finish its batch, and the next one records it', async () => {
  const blocker = new Client({ connectionString: database.url });
  await blocker.connect();
  try {
    await using worker = await startWorker({ SHUTDOWN_TIMEOUT_MS: '600000' });
    await blocker.query('BEGIN');
    await blocker.query('LOCK TABLE interactions IN ACCESS EXCLUSIVE MODE');
    await publish(10);
    await waitFor('the batch to wait for the lock', async () => {
      const waiting = await blocker.query(
        'SELECT 1 FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())',
      );
      return waiting.rows.length > 0;
    });
    worker.signal('SIGTERM');
    await waitFor('it to drain', () => worker.output().includes('draining'));
    await waitFor(
      'the end',
      () => {
        // One that comes within a second of the first counts as its echo.
        if (worker.exitCode() === null) worker.signal('SIGTERM');
        return worker.exitCode() !== null;
      },
      { deadlineMs: 10_000, everyMs: 250 },
    );
    expect(worker.exitCode()).toBe(1);
  } finally {
    await blocker.end();
  }
  await using _next = await startWorker();
  await waitFor('the next worker to record all', async () => (await recorded()) === 10);
});
