import { connect } from 'amqplib';
import { expect, inject, it } from 'vitest';
import { examinePostgres } from '../../src/adapters/postgres/postgres-doctor.ts';
import { connectRabbitmqQueue } from '../../src/adapters/rabbitmq/rabbitmq-queue.ts';
import { createRabbitmqSource } from '../../src/adapters/rabbitmq/rabbitmq-source.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { createTestDatabase } from '../servers/create-test-database.ts';
import { createTestRedis } from '../servers/create-test-redis.ts';
import { startPgbouncer } from '../servers/start-pgbouncer.ts';
import { testQueue } from '../servers/test-queue.ts';
import { waitFor } from '../servers/wait-for.ts';
import { runCommand } from './run-command.ts';

const AWAY = '127.0.0.1:1';

function lines(stdout: string): string[] {
  return stdout.trim().split('\n');
}

it('doctor names a migration that is pending, and exits 0 once every real part is well', async () => {
  await using database = await createTestDatabase();
  await using pgbouncer = await startPgbouncer({ postgres: { url: database.url } });
  const { url: amqpUrl, queue } = testQueue();
  const env = {
    DATABASE_URL: pgbouncer.url,
    DATABASE_DIRECT_URL: database.url,
    DATABASE_REPLICA_URLS: database.replicaUrls.join(','),
    DATABASE_REPLICA_MAX_LAG_MS: '60000',
    AMQP_URL: amqpUrl,
    QUEUE_NAME: queue,
    REDIS_URL: (await createTestRedis()).url,
  };
  const before = await runCommand('doctor', env);
  expect(before.exitCode).toBe(1);
  expect(lines(before.stdout).filter((line) => line.startsWith('FAULT'))).toEqual([
    expect.stringMatching(/Migrations: the schema is older than this version, \d+ pending: npm run migrate; \d+_init/),
  ]);

  expect((await runCommand('migrate', env)).exitCode).toBe(0);
  const after = await runCommand('doctor', env);
  expect(lines(after.stdout)).toEqual([
    expect.stringMatching(/^ok +Postgres \(DATABASE_URL\): Postgres \d+.*; behind PgBouncer 1\.\d+/),
    expect.stringMatching(/^ok +Postgres \(DATABASE_DIRECT_URL\): Postgres \d+/),
    expect.stringMatching(/^ok +Migrations: all applied$/),
    expect.stringMatching(/^ok +Rights \(DATABASE_URL\): postgres owns the tables/),
    expect.stringMatching(/^ok +Replica 1 \(DATABASE_REPLICA_URLS\): Postgres \d+.* ms behind$/),
    expect.stringMatching(/^ok +RabbitMQ \(AMQP_URL\): RabbitMQ \d+\.\d+.*not there yet/),
    expect.stringMatching(/^note +RabbitMQ cluster \(AMQP_MANAGEMENT_URL\): not set: policies, .* not looked at$/),
    expect.stringMatching(/^ok +Redis \(REDIS_URL\): Redis \d+\.\d+/),
  ]);
  expect(after.exitCode).toBe(0);
});

it('doctor says that it could not ask PgBouncer for its version', async () => {
  await using database = await createTestDatabase();
  await using pgbouncer = await startPgbouncer({ postgres: database, config: 'admin_users = somebody' });
  const { ok, text } = await examinePostgres({ part: 'Postgres', url: pgbouncer.url, replicaMaxLagMs: null });
  expect({ ok, text }).toEqual({ ok: true, text: expect.stringContaining('does not tell this user its version') });
});

it('doctor tells a replica from a primary, both ways', async () => {
  await using database = await createTestDatabase();
  const [replicaUrl = ''] = database.replicaUrls;
  const { stdout, exitCode } = await runCommand('doctor', {
    DATABASE_URL: replicaUrl,
    DATABASE_REPLICA_URLS: database.url,
  });
  expect(exitCode).toBe(1);
  expect(stdout).toMatch(/^FAULT +Postgres \(DATABASE_URL\): .*it is a replica/m);
  expect(stdout).toMatch(/^FAULT +Replica 1 .*it is no replica/m);
});

it('doctor finds a queue of another type, and does not touch it', async () => {
  const { url, queue } = testQueue();
  const connection = await connect(url);
  const channel = await connection.createChannel();
  await channel.assertQueue(queue, { durable: true });
  try {
    await using database = await createTestDatabase();
    const { stdout } = await runCommand('doctor', { DATABASE_URL: database.url, AMQP_URL: url, QUEUE_NAME: queue });
    expect(stdout).toMatch(/^FAULT +RabbitMQ .*PRECONDITION_FAILED.*quorum queue/m);
    expect(await channel.checkQueue(queue)).toMatchObject({ queue });
  } finally {
    await channel.deleteQueue(queue);
    await connection.close();
  }
});

it('doctor tells of all partitions of a queue, and of those that a greater number of them left', async () => {
  const { url, queue } = testQueue();
  const logger = createLogger('silent', 'test');
  const doctor = async (partitions: number): Promise<string> => {
    const { stdout } = await runCommand('doctor', {
      DATABASE_URL: `postgres://nobody@${AWAY}/x`,
      AMQP_URL: url,
      QUEUE_NAME: queue,
      QUEUE_PARTITIONS: String(partitions),
    });
    return lines(stdout).find((line) => line.includes('RabbitMQ')) ?? '';
  };
  expect(await doctor(3)).toMatch(/^ok .*not there yet.*its 3 partitions not there yet/);
  const publisher = await connectRabbitmqQueue({
    urls: [url],
    queueName: queue,
    partitions: 4,
    deadlineMs: 10_000,
    maxInFlight: 100,
    logger,
  });
  await waitFor('the connection', () => publisher.fault() === null);
  for (let item = 0; item < 50; item += 1) await publisher.publish([Buffer.from(JSON.stringify({ item: `${item}` }))]);
  await publisher.close();
  const source = createRabbitmqSource({ urls: [url], queueName: queue, partitions: 4, prefetch: 32, logger });
  await source.start(
    () => undefined,
    () => undefined,
  );
  await waitFor('the worker', () => source.ready());
  // One message of each partition is in the worker's hands.
  await waitFor('the doctor to see it', async () =>
    /^ok .*: 0 messages, 1 consumers; its 4 partitions: 46 messages, 4 with a consumer;/.test(await doctor(4)),
  );
  expect(await doctor(2)).toContain(`drained too: ${queue}.2, ${queue}.3 (of a greater QUEUE_PARTITIONS)`);
  await source.close();
});

it('doctor says of every part that is away that it is, without a password', async () => {
  const outcome = await runCommand('doctor', {
    DATABASE_URL: `postgres://app:hunter2@${AWAY}/x`,
    AMQP_URL: `amqp://app:hunter2@${AWAY},${inject('sharedServers').amqpUrl}`,
    REDIS_URL: `redis://:hunter2@${AWAY}`,
  });
  expect(outcome.exitCode).toBe(1);
  expect(lines(outcome.stdout)).toEqual([
    expect.stringMatching(/^FAULT +Postgres \(DATABASE_URL\): cannot be reached: .*ECONNREFUSED/),
    expect.stringMatching(/^FAULT +RabbitMQ \(AMQP_URL, node 1\): cannot be reached: .*ECONNREFUSED/),
    expect.stringMatching(/^ok +RabbitMQ \(AMQP_URL, node 2\)/),
    expect.stringMatching(/^note +RabbitMQ cluster/),
    expect.stringMatching(/^FAULT +Redis \(REDIS_URL\): cannot be reached: .*ECONNREFUSED/),
  ]);
  expect(outcome.stdout + outcome.stderr).not.toContain('hunter2');
});

it('doctor and the worker exit 78 on a bad configuration, with a line for each fault', async () => {
  for (const command of ['doctor', 'worker']) {
    const outcome = await runCommand(command, { METRICS_PORT: 'abc', AMQP_URL: 'kafka://app:hunter2@q' });
    expect(outcome.exitCode).toBe(78);
    expect(lines(outcome.stderr)).toEqual([
      expect.stringMatching(/^METRICS_PORT: /),
      expect.stringMatching(/^AMQP_URL: /),
    ]);
    expect(outcome.stderr).not.toContain('hunter2');
  }
});
