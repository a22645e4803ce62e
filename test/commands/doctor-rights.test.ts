import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from '@keyv/redis';
import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { grantRights } from '../../src/adapters/postgres/postgres-grants.ts';
import { examineRights } from '../../src/adapters/postgres/postgres-rights.ts';
import type { Finding } from '../../src/runtime/finding.ts';
import { packageRoot } from '../../src/runtime/package-root.ts';
import { createTestDatabase } from '../servers/create-test-database.ts';
import { freePort } from '../servers/free-port.ts';
import { query } from '../servers/query.ts';
import { startRabbitmq, type RabbitmqServer } from '../servers/start-rabbitmq.ts';
import { startRedis } from '../servers/start-redis.ts';
import { testDirectory } from '../servers/test-run.ts';
import { waitFor } from '../servers/wait-for.ts';
import { runCommand } from './run-command.ts';

const QUEUE = 'groundswell.interactions';
const QUORUM = { 'x-queue-type': 'quorum', 'x-overflow': 'reject-publish' };
const DEFINITIONS = z.object({
  permissions: z.array(z.object({ user: z.string(), configure: z.string(), write: z.string(), read: z.string() })),
});
let rabbitmq: RabbitmqServer;
let managementUrl: string;

/** By permission pattern: configure, write, read. */
const USERS: Record<string, [string, string, string]> = {
  guest: ['.*', '.*', '.*'],
  reader: ['^$', '^$', '.*'],
  writer: ['^$', '.*', '^$'],
  stranger: ['^$', '^$', '^$'],
  ...shippedPermissions(),
};

beforeAll(async () => {
  const managementPort = await freePort();
  const definitions = join(testDirectory('definitions'), 'definitions.json');
  writeFileSync(definitions, JSON.stringify(definitionsOf()), { mode: 0o644 });
  rabbitmq = await startRabbitmq({
    plugins: ['rabbitmq_management'],
    config: [
      `load_definitions = ${definitions}`,
      'management.tcp.ip = 127.0.0.1',
      `management.tcp.port = ${managementPort}`,
      // In the test's own second; the default is 5 s.
      'collect_statistics_interval = 1000',
    ].join('\n'),
  });
  managementUrl = `http://guest:guest@127.0.0.1:${managementPort}`;
});

afterAll(() => rabbitmq.stop());

/** The salted hash that RabbitMQ keeps. */
function hashed(password: string): string {
  const salt = Buffer.from('salt');
  return Buffer.concat([salt, createHash('sha256').update(salt).update(password).digest()]).toString('base64');
}

function definitionsOf() {
  const names = Object.keys(USERS);
  return {
    vhosts: [{ name: '/' }],
    users: names.map((name) => ({
      name,
      password_hash: hashed(name),
      hashing_algorithm: 'rabbit_password_hashing_sha256',
      tags: name === 'guest' ? 'administrator' : '',
    })),
    permissions: Object.entries(USERS).map(([user, [configure, write, read]]) => ({
      user,
      vhost: '/',
      configure,
      write,
      read,
    })),
    policies: [
      { vhost: '/', name: 'loses', pattern: '^loses$', 'apply-to': 'queues', definition: { 'message-ttl': 60_000 } },
    ],
  };
}

/** Of deploy/rabbitmq: what the API and the worker are run with. */
function shippedPermissions(): Record<string, [string, string, string]> {
  const { permissions } = DEFINITIONS.parse(
    JSON.parse(readFileSync(join(packageRoot(), 'deploy/rabbitmq/definitions.json.template'), 'utf8')),
  );
  return Object.fromEntries(permissions.map(({ user, configure, write, read }) => [user, [configure, write, read]]));
}

function as(user: string): string {
  return `amqp://${user}:${user}@127.0.0.1:${rabbitmq.port}`;
}

async function declareQueue(name: string): Promise<void> {
  const connection = await connect(as('guest'));
  try {
    const channel = await connection.createChannel();
    await channel.assertExchange(name, 'direct', { durable: true });
    await channel.assertQueue(name, { durable: true, arguments: QUORUM });
    await channel.bindQueue(name, name, name);
    await channel.close();
  } finally {
    await connection.close();
  }
}

async function rabbitmqLines(env: Record<string, string>): Promise<string[]> {
  // Postgres away: only the other lines are looked at.
  const { stdout } = await runCommand('doctor', { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/x', ...env });
  return stdout.split('\n').filter((line) => line.includes('RabbitMQ'));
}

it('doctor names what the role may not do, and is content with the role of an API, a worker or the owner', async () => {
  await using fresh = await createTestDatabase();
  expect((await runCommand('migrate', { DATABASE_URL: fresh.url })).exitCode).toBe(0);
  const role = `limited_${fresh.name}`;
  await query(fresh.url, `CREATE ROLE ${role} LOGIN`);
  const limited = new URL(fresh.url);
  limited.username = role;
  const rights = (): Promise<Finding> => examineRights('Rights', limited.href);
  try {
    await query(
      fresh.url,
      `GRANT SELECT ON _prisma_migrations, schema_floor TO ${role}; GRANT ALL ON items TO ${role}`,
    );
    const { exitCode, stdout } = await runCommand('doctor', { DATABASE_URL: limited.href });
    expect(exitCode).toBe(1);
    const line = stdout.split('\n').find((text) => text.includes('Rights')) ?? '';
    expect(line).toMatch(/^FAULT +Rights \(DATABASE_URL\): /);
    expect(line).toContain('outbox: DELETE, INSERT, SELECT, UPDATE');
    expect(line).toContain('drop_month(text): EXECUTE');
    expect(line).not.toContain('items:');
    expect(line).toContain('GRANT groundswell_api TO');

    await query(fresh.url, `GRANT groundswell_worker TO ${role}`);
    expect(await rights()).toMatchObject({ ok: true, text: `${role} may do what worker must` });
    // As after a dump that was restored without its rights.
    await query(fresh.url, 'REVOKE ALL ON people FROM groundswell_worker');
    expect(await rights()).toMatchObject({
      ok: false,
      text: `${role} lacks people: INSERT, SELECT: npm run migrate grants it`,
    });
    await grantRights(fresh.url);
    expect(await rights()).toMatchObject({ ok: true });
    await query(fresh.url, `GRANT groundswell_migrator TO ${role}`);
    expect(await rights()).toMatchObject({ ok: true, text: expect.stringContaining('owns the tables') });
  } finally {
    await query(fresh.url, `DROP OWNED BY ${role}; DROP ROLE ${role}`);
  }
});

it('doctor warns of a Postgres that answers before it is on disk', async () => {
  await using database = await createTestDatabase();
  await query(database.url, `ALTER DATABASE "${database.name}" SET synchronous_commit = off`);
  const { stdout } = await runCommand('doctor', { DATABASE_URL: database.url });
  expect(stdout).toMatch(/^FAULT +Postgres \(DATABASE_URL\): .*synchronous_commit is off.*set it to on/m);
});

it('doctor names the rights that the user of RabbitMQ lacks, without a message taken or sent', async () => {
  const nobody = await rabbitmqLines({ AMQP_URL: as('reader'), QUEUE_NAME: 'never.made' });
  expect(nobody[0]).toMatch(
    /^FAULT .*never\.made not there yet.*lacks the right to configure and bind never\.made: rabbitmqctl/,
  );
  // It waits for a worker to make it.
  expect((await rabbitmqLines({ AMQP_URL: as('api') }))[0]).toMatch(
    /^ok .*not there yet: the first worker makes it.*right for an API/,
  );

  await declareQueue(QUEUE);
  const connection = await connect(as('guest'));
  try {
    const channel = await connection.createConfirmChannel();
    channel.publish(QUEUE, QUEUE, Buffer.from('stays'));
    await channel.waitForConfirms();
    expect((await rabbitmqLines({ AMQP_URL: as('stranger') }))[0]).toMatch(
      /^FAULT .*lacks the right to read and write groundswell/,
    );
    expect((await rabbitmqLines({ AMQP_URL: as('reader') }))[0]).toMatch(
      /^ok .*may consume and not publish: right for a worker/,
    );
    expect((await rabbitmqLines({ AMQP_URL: as('writer') }))[0]).toMatch(
      /^ok .*may publish and not consume: right for an API/,
    );
    expect((await rabbitmqLines({ AMQP_URL: as('guest') }))[0]).toMatch(
      /^ok .*1 messages, 0 consumers; clock within 1 s/,
    );
    // As it was: never handed out.
    const message = await channel.get(QUEUE);
    expect(message).toMatchObject({ fields: { redelivered: false } });
    expect(await rabbitmqLines({ AMQP_URL: as('guest'), QUEUE_NAME: 'never.made' })).toEqual([
      expect.stringMatching(/^ok .*never\.made not there yet/),
      expect.stringMatching(/^note .*AMQP_MANAGEMENT_URL.*not looked at$/),
    ]);
    await expect(
      connection.createChannel().then((other) => {
        other.on('error', () => undefined);
        return other.checkQueue('never.made');
      }),
    ).rejects.toThrow(/NOT_FOUND/);
  } finally {
    await connection.close();
  }
});

it('doctor misses the plugin that partitions need', async () => {
  const [line] = await rabbitmqLines({ AMQP_URL: as('guest'), QUEUE_NAME: 'never.made', QUEUE_PARTITIONS: '2' });
  expect(line).toMatch(
    /^FAULT .*QUEUE_PARTITIONS needs a plugin: rabbitmq-plugins enable rabbitmq_consistent_hash_exchange/,
  );
});

it('doctor finds a policy by which a queue loses interactions, through the management API', async () => {
  await declareQueue('loses');
  const env = { AMQP_URL: as('guest'), AMQP_MANAGEMENT_URL: managementUrl };
  await waitFor('the management API to know the queue', async () => {
    const response = await fetch(`http://127.0.0.1:${new URL(managementUrl).port}/api/queues/%2F/loses`, {
      headers: { authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}` },
    });
    const body: unknown = await response.json();
    return JSON.stringify(body).includes('"policy":"loses"');
  });
  const [, cluster] = await rabbitmqLines({ ...env, QUEUE_NAME: 'loses' });
  expect(cluster).toMatch(/^FAULT .*AMQP_MANAGEMENT_URL.*quorum queue.*policy loses sets message-ttl.*take it off/);
  const [, well] = await rabbitmqLines({ ...env, QUEUE_NAME: 'never.made' });
  expect(well).toMatch(/^ok +RabbitMQ cluster \(AMQP_MANAGEMENT_URL\): 1 of 1 nodes run$/);
  const wrong = managementUrl.replace('guest:guest', 'guest:hunter2');
  const [, refused] = await rabbitmqLines({ ...env, AMQP_MANAGEMENT_URL: wrong });
  expect(refused).toMatch(/^FAULT .*cannot be read: answers 401; check/);
  expect(refused).not.toContain('hunter2');
});

it('doctor names what the user of Redis may not do', async () => {
  await using redis = await startRedis();
  const client = createClient({ url: redis.url });
  client.on('error', () => undefined);
  await client.connect();
  const rights = ['on', 'nopass', '~groundswell:*', '+@connection', '+@read', '+@scripting', '+info', '+time'];
  await client.sendCommand(['ACL', 'SETUSER', 'limited', ...rights]);
  client.destroy();
  const { stdout } = await runCommand('doctor', {
    DATABASE_URL: 'postgres://nobody@127.0.0.1:1/x',
    REDIS_URL: redis.url.replace('redis://', 'redis://limited:any@'),
  });
  expect(stdout).toMatch(/^FAULT +Redis \(REDIS_URL\): .*may not do all that is needed \(.*ACL SETUSER/m);
});
