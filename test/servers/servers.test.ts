import { connect, type ConfirmChannel } from 'amqplib';
import { createClient } from '@keyv/redis';
import pg from 'pg';
import { chromium } from 'playwright-core';
import { expect, inject, test } from 'vitest';
import { CHROMIUM_ARGUMENTS, chromiumPath } from './chromium.ts';
import { createTestDatabase } from './create-test-database.ts';
import { createTestRedis } from './create-test-redis.ts';
import { query } from './query.ts';
import { startNginx } from './start-nginx.ts';
import { startPgbouncer } from './start-pgbouncer.ts';
import { startPostgres } from './start-postgres.ts';
import { startRabbitmq } from './start-rabbitmq.ts';
import { startRedis } from './start-redis.ts';
import { resetStatementCounts, statementCounts } from './statement-counts.ts';
import { testQueue } from './test-queue.ts';
import { waitFor } from './wait-for.ts';

async function onChannel<T>(url: string, work: (channel: ConfirmChannel) => Promise<T>): Promise<T> {
  const connection = await connect(url);
  let broken: Error | undefined;
  connection.on('error', (error: Error) => (broken = error));
  try {
    const channel = await connection.createConfirmChannel();
    channel.on('error', (error: Error) => (broken = error));
    return await work(channel);
  } finally {
    if (!broken) await connection.close();
  }
}

function publish(url: string, queue: string, text: string): Promise<void> {
  return onChannel(url, async (channel) => {
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    channel.sendToQueue(queue, Buffer.from(text), { persistent: true });
    await channel.waitForConfirms();
  });
}

function take(url: string, queue: string): Promise<string> {
  return onChannel(url, async (channel) => {
    let text: string | undefined;
    await waitFor(`a message in ${queue}`, async () => {
      const message = await channel.get(queue, { noAck: true });
      if (message) text = message.content.toString();
      return text !== undefined;
    });
    return text ?? '';
  });
}

test('the shared RabbitMQ delivers what was published and confirmed', async () => {
  const { url, queue } = testQueue();
  await publish(url, queue, 'hello');
  expect(await take(url, queue)).toBe('hello');
});

test("a RabbitMQ of one's own keeps its messages over a kill and a restart", async () => {
  await using rabbitmq = await startRabbitmq();
  expect(rabbitmq.url).not.toBe(inject('sharedServers').amqpUrl);
  await publish(rabbitmq.url, 'kept', 'still here');
  await rabbitmq.whenQueueIsOnDisk('kept');
  await rabbitmq.kill();
  await expect(connect(rabbitmq.url)).rejects.toThrow();
  await rabbitmq.restart();
  expect(await take(rabbitmq.url, 'kept')).toBe('still here');
});

test('each test gets a Redis database of its own', async () => {
  const [first, second] = [await createTestRedis(), await createTestRedis()];
  const [one, other] = [createClient(first), createClient(second)];
  await one.connect();
  await other.connect();
  try {
    await one.set('key', 'value');
    expect(await one.get('key')).toBe('value');
    expect(await other.get('key')).toBeNull();
  } finally {
    one.destroy();
    other.destroy();
  }
});

test('a paused Redis answers nothing until it is resumed', async () => {
  await using redis = await startRedis();
  const client = createClient({ url: redis.url });
  await client.connect();
  try {
    redis.pause();
    let answered = false;
    const pending = client.ping().then(() => (answered = true));
    await expect(waitFor('an answer', () => answered, { deadlineMs: 300 })).rejects.toThrow('in vain');
    redis.resume();
    await pending;
    expect(answered).toBe(true);
  } finally {
    client.destroy();
  }
});

test('a row written on the primary is read on the replica, which is in recovery and refuses writes', async () => {
  await using database = await createTestDatabase();
  const [replicaUrl = ''] = database.replicaUrls;
  await query(database.url, "create table notes as select 'hello' as text");
  await waitFor('the row on the replica', async () => {
    const rows = await query(replicaUrl, 'select text from notes');
    return rows[0]?.['text'] === 'hello';
  });
  expect(await query(replicaUrl, 'select pg_is_in_recovery() as standby')).toEqual([{ standby: true }]);
  expect(await query(database.url, 'select pg_is_in_recovery() as standby')).toEqual([{ standby: false }]);
  await expect(query(replicaUrl, 'delete from notes')).rejects.toThrow('read-only');
});

test('statements are counted on the server and in the database that executed them', async () => {
  await using database = await createTestDatabase();
  await using other = await createTestDatabase();
  const [replicaUrl = ''] = database.replicaUrls;
  for (const url of [database.url, replicaUrl]) await resetStatementCounts(url);
  await query(replicaUrl, 'select 41 as on_replica');
  await query(replicaUrl, 'select 42 as on_replica');
  await query(other.url, 'select 43 as elsewhere');
  expect(await statementCounts(replicaUrl)).toEqual([{ query: 'select $1 as on_replica', calls: 2, rows: 2 }]);
  expect(await statementCounts(database.url)).toEqual([]);
});

test('a killed replica refuses reads, and catches up after its restart', async () => {
  await using cluster = await startPostgres({ replicas: 1 });
  const [replica] = cluster.replicas;
  if (!replica) throw new Error('no replica');
  const database = await cluster.createDatabase();
  const [replicaUrl = ''] = database.replicaUrls;
  await replica.kill();
  await expect(query(replicaUrl, 'select 1')).rejects.toThrow();
  await query(database.url, "create table notes as select 'meanwhile' as text");
  await replica.restart();
  await waitFor('the replica to catch up', async () => {
    const rows = await query(replicaUrl, 'select text from notes');
    return rows[0]?.['text'] === 'meanwhile';
  });
  await cluster.primary.kill();
  await cluster.primary.restart();
  expect(await query(database.url, 'select text from notes')).toEqual([{ text: 'meanwhile' }]);
});

test('PgBouncer gives a server connection to each transaction, not to each session', async () => {
  await using database = await createTestDatabase();
  await using pgbouncer = await startPgbouncer({ postgres: database, config: 'default_pool_size = 1' });
  const [one, other] = [
    new pg.Client({ connectionString: pgbouncer.url }),
    new pg.Client({ connectionString: pgbouncer.url }),
  ];
  await one.connect();
  await other.connect();
  try {
    const backend = 'select pg_backend_pid() as pid, current_database() as name';
    const { rows } = await one.query(backend);
    expect(rows).toMatchObject([{ name: database.name }]);
    expect((await other.query(backend)).rows).toEqual(rows);
    const pools = await query(pgbouncer.adminUrl, 'show pools');
    expect(pools).toContainEqual(expect.objectContaining({ database: database.name, pool_mode: 'transaction' }));
  } finally {
    await one.end();
    await other.end();
  }
});

test('nginx serves a page, and Chromium renders it', async () => {
  await using nginx = await startNginx({
    config: ({ port }) => `
      events {}
      http {
        server {
          listen 127.0.0.1:${port};
          default_type text/html;
          return 200 "<!doctype html><p>static</p><script>document.querySelector('p').textContent = 'ren' + 'dered'</script>";
        }
      }`,
  });
  const browser = await chromium.launch({ executablePath: chromiumPath(), args: [...CHROMIUM_ARGUMENTS] });
  try {
    const page = await browser.newPage();
    await page.goto(nginx.url);
    expect(await page.textContent('p')).toBe('rendered');
  } finally {
    await browser.close();
  }
});

test('a server that cannot start says why, in its own words', async () => {
  await expect(startNginx({ config: () => 'events {} nonsense;' })).rejects.toThrow('unknown directive "nonsense"');
});
