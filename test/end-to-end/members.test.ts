import { afterEach, expect, it } from 'vitest';
import { startCommand, type RunningCommand } from '../commands/start-command.ts';
import { runCommand } from '../commands/run-command.ts';
import { createTestDatabase } from '../servers/create-test-database.ts';
import { createTestRedis } from '../servers/create-test-redis.ts';
import { query } from '../servers/query.ts';
import { testQueue } from '../servers/test-queue.ts';
import { waitFor } from '../servers/wait-for.ts';
import { differences, isRecorded, startLedgerLoad, type LedgerLoad } from './ledger-load.ts';
import { startProxy } from './start-proxy.ts';
import { asAdmin, ask } from './system.ts';

const PARTITIONS = 8;
const ITEMS = Array.from({ length: 24 }, (_, n) => `item-${n}`);
/** Workers that come and go, one after the other: with each, an item may move to another worker, and on its way through a third. */
const CHANGES = 6;

const running: RunningCommand[] = [];
afterEach(async () => {
  for (const command of running.splice(0)) await command[Symbol.asyncDispose]();
});

it(
  'APIs behind nginx and workers on a partitioned queue come and go, 1, 2, 4, 2: nothing is lost or doubled, and an item stays with one worker',
  { timeout: 300_000 },
  async () => {
    await using database = await createTestDatabase();
    const { url: amqpUrl, queue } = testQueue();
    const env = {
      DATABASE_URL: database.url,
      AMQP_URL: amqpUrl,
      QUEUE_NAME: queue,
      QUEUE_PARTITIONS: String(PARTITIONS),
      REDIS_URL: (await createTestRedis()).url,
      SHUTDOWN_GRACE_MS: '500',
      LOG_LEVEL: 'warn',
    };
    expect((await runCommand('migrate', env)).exitCode).toBe(0);
    // Who recorded what, by the connection that it came over.
    await query(
      database.url,
      "ALTER TABLE interactions ADD COLUMN worker text DEFAULT current_setting('application_name'), ADD COLUMN batch timestamptz DEFAULT transaction_timestamp()",
    );
    const start = async (starting: Promise<RunningCommand>): Promise<RunningCommand> => {
      const command = await starting;
      running.push(command);
      return command;
    };
    const startApi = async (): Promise<RunningCommand> => start(startCommand('api', env));
    const startWorker = async (name: string): Promise<RunningCommand> =>
      start(startCommand('worker', { ...env, DATABASE_URL: withName(database.url, name) }));
    const recordedBy = async (): Promise<Map<string, number>> => {
      const rows = await query(database.url, 'SELECT worker, count(*)::int AS count FROM interactions GROUP BY 1');
      return new Map(rows.map(({ worker, count }) => [String(worker), Number(count)]));
    };
    async function untilAllRecord(load: LedgerLoad, names: readonly string[]): Promise<void> {
      const before = await recordedBy();
      await waitFor(`${names.join(', ')} to record`, async () => {
        const now = await recordedBy();
        expect(load.failures).toEqual([]);
        return names.every((name) => (now.get(name) ?? 0) >= (before.get(name) ?? 0) + 10);
      });
    }

    const [api1, worker1] = await Promise.all([startApi(), startWorker('worker-1')]);
    await using nginx = await startProxy([api1.url], { isExempt: true });
    const system = { url: api1.url, env, databaseUrl: database.url, [Symbol.asyncDispose]: async () => undefined };
    const items = ITEMS.map((id) => ({ id, title: id }));
    await ask(
      system,
      'mutation ($items: [ItemInput!]!) { upsertItems(items: $items) { userErrors { code } } }',
      { items },
      asAdmin,
    );

    await using load = startLedgerLoad(nginx.url, { clients: 8, gapMs: 25, items: ITEMS });
    await untilAllRecord(load, ['worker-1']);
    const [api2] = await Promise.all([startApi(), startWorker('worker-2')]);
    nginx.setApis([api1.url, api2.url]);
    await untilAllRecord(load, ['worker-1', 'worker-2']);
    const [api3, api4, worker3] = await Promise.all([
      startApi(),
      startApi(),
      startWorker('worker-3'),
      startWorker('worker-4'),
    ]);
    nginx.setApis([api1, api2, api3, api4].map(({ url }) => url));
    await untilAllRecord(load, ['worker-1', 'worker-2', 'worker-3', 'worker-4']);
    for (const api of [api1, api2, api3, api4]) await waitFor('a share of the load', () => takesPart(api));
    nginx.setApis([api3.url, api4.url]);
    for (const leaving of [worker1, api1, worker3, api2]) {
      leaving.signal('SIGTERM');
      expect(await leaving.ended()).toBe(0);
    }
    await untilAllRecord(load, ['worker-2', 'worker-4']);
    // Workers that took what comes next would change with nearly every other batch.
    await waitFor('many batches of each item', async () =>
      (await switchesOfItems(database.url)).every(({ batches }) => batches >= 5 * CHANGES),
    );
    await load.stop();

    expect(load.failures).toEqual([]);
    await waitFor('all to be recorded', () => isRecorded(database.url, load));
    expect(await differences(database.url, load)).toEqual([]);

    const switches = await switchesOfItems(database.url);
    expect(switches).toHaveLength(ITEMS.length);
    for (const { item, batches, switched } of switches) {
      expect(switched, `${item}: ${switched} of ${batches} batches`).toBeLessThanOrEqual(2 * CHANGES);
    }
  },
);

/** In how many batches each item was recorded, and how often the next one was another worker's. */
async function switchesOfItems(
  url: string,
): Promise<{ readonly item: string; readonly batches: number; readonly switched: number }[]> {
  const rows = await query(
    url,
    `WITH batches AS (SELECT DISTINCT item_key, batch, worker FROM interactions),
       steps AS (SELECT item_key, worker, lag(worker) OVER (PARTITION BY item_key ORDER BY batch) AS before FROM batches)
     SELECT item_key::text AS item, count(*)::int AS batches, count(*) FILTER (WHERE worker <> before)::int AS switched
     FROM steps GROUP BY 1`,
  );
  return rows.map(({ item, batches, switched }) => ({
    item: String(item),
    batches: Number(batches),
    switched: Number(switched),
  }));
}

async function takesPart(api: RunningCommand): Promise<boolean> {
  const page = await (await fetch(`${api.metricsUrl}/metrics`)).text();
  return /^groundswell_published_total\{queue="rabbitmq"\} [1-9]/m.test(page);
}

function withName(url: string, name: string): string {
  const named = new URL(url);
  named.searchParams.set('application_name', name);
  return named.href;
}
