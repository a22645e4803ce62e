import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { connect } from 'amqplib';
import { createClient } from '@keyv/redis';
import pg from 'pg';
import { encodeMessage } from '../../src/interactions/message.ts';
import { newInteractionId } from '../../src/interactions/interaction-id.ts';
import { viewerKeyOf } from '../../src/interactions/viewer-key.ts';
import { query } from '../../test/servers/query.ts';
import { requireProgram } from '../../test/servers/programs.ts';
import { listProcesses, signalAll } from '../../test/servers/processes.ts';
import type { Stack } from '../stack/stack.ts';
import { together, type Clients } from './clients.ts';

export interface Fault {
  readonly title: string;
  /** While it lasts, as `shippedAlerts` names them. */
  readonly raises: readonly string[];
  /** By what it left, when it is healed. */
  readonly raisesHealed?: readonly string[];
  /** Resolves to what heals it, while it lasts. */
  begin(stack: Stack, clients: Clients): Promise<() => Promise<unknown>>;
}

const QUEUE = 'groundswell.interactions';
const RUN_MS = 9;
const STARVE_MS = 300;

/** Several machines lost at once: what CI has the time for. */
export const MANY_KILLED: Fault = {
  title: 'nginx, the API, the worker, a replica and Redis, killed',
  raises: [
    'NginxAway (page)',
    'ApiAway (page)',
    'WorkerAway (page)',
    'PostgresAway (page)',
    'RedisAway (ticket)',
    'TargetDown (ticket)',
    'RabbitmqWithoutConsumers (ticket)',
  ],
  async begin({ nginx, apis, workers, replicas, redis }) {
    const [users, parts] = [
      [nginx, ...apis, ...workers],
      [...replicas, redis],
    ];
    await Promise.all([...users, ...parts].map((member) => member.kill()));
    return async () => {
      await Promise.all(parts.map((member) => member.restart()));
      await Promise.all(users.map((member) => member.restart()));
    };
  },
};

export const FAULTS: readonly Fault[] = [
  {
    title: 'an API that gets 3 % of a core',
    raises: [
      'EventLoopLag (ticket)',
      'CachedReadLatencyBudgetBurn (page)',
      'CachedReadLatencyBudgetBurn (ticket)',
      'AcceptLatencyBudgetBurn (page)',
      'AcceptLatencyBudgetBurn (ticket)',
    ],
    async begin({ apis }, clients) {
      const starved = starve(apis[0]?.pids() ?? [], 14_000);
      await together(24, (index) => (index % 2 === 0 ? clients.popular() : clients.like('item-1')), starved);
      return () => Promise.resolve();
    },
  },
  {
    title: 'more requests at once than MAX_REQUESTS_IN_FLIGHT',
    raises: ['RequestsRefused (ticket)', 'AvailabilityBudgetBurn (page)', 'AvailabilityBudgetBurn (ticket)'],
    async begin(_, clients) {
      const done = new AbortController();
      const over = new Promise((resolve) => done.signal.addEventListener('abort', resolve));
      const flood = together(200, () => clients.mine(), over);
      return async () => {
        done.abort();
        await flood;
      };
    },
  },
  {
    title: 'a worker that is killed while much is accepted, some of it messages that nobody can read',
    raises: ['WorkerAway (page)', 'TargetDown (ticket)', 'RabbitmqWithoutConsumers (ticket)', 'QueueGrowing (ticket)'],
    raisesHealed: ['RejectedGrowing (ticket)', 'FreshnessBudgetBurn (page)', 'FreshnessBudgetBurn (ticket)'],
    async begin(stack, clients) {
      await stack.workers[0]?.kill();
      await publishNonsense(stack.amqpUrl, 6_000);
      await Promise.all(Array.from({ length: 40 }, (_, index) => clients.like(`item-${index % 20}`)));
      return () => Promise.resolve(stack.workers[0]?.restart());
    },
  },
  {
    title: 'a transaction that keeps the table of interactions locked',
    raises: ['QueueOld (page)'],
    async begin({ databaseUrl }) {
      const release = await holdOpen(databaseUrl, (client) =>
        client.query('LOCK TABLE interactions IN EXCLUSIVE MODE'),
      );
      // As if it had lasted for two minutes: what the worker now has in hand was accepted then.
      const body = encodeMessage({
        id: newInteractionId(),
        itemId: 'item-1',
        viewer: viewerKeyOf({ userId: 'ann' }),
        type: 'VIEW',
        retraction: false,
        metadata: null,
        acceptedAtMs: Date.now() - 120_000,
      });
      await query(databaseUrl, 'INSERT INTO outbox (body) VALUES ($1)', [body]);
      return release;
    },
  },
  {
    title: 'a table of items that is locked',
    raises: ['DatabasePoolSaturated (ticket)', 'PgbouncerSaturated (ticket)'],
    async begin({ databaseUrl }, clients) {
      const release = await holdOpen(databaseUrl, (client) =>
        client.query('LOCK TABLE items IN ACCESS EXCLUSIVE MODE'),
      );
      // Each in a turn of its own, so that each is a lookup of its own, on the primary.
      const lookups: Promise<unknown>[] = [];
      for (let count = 0; count < 90; count += 1) {
        lookups.push(clients.like(`unknown-${count}`));
        await delay(15);
      }
      return async () => {
        await release();
        await Promise.all(lookups);
      };
    },
  },
  {
    title: 'a PgBouncer that is killed',
    raises: ['PgbouncerAway (page)', 'RecordingFails (ticket)', 'StandingsStale (page)'],
    async begin({ pgbouncer }) {
      await pgbouncer.kill();
      return () => pgbouncer.restart();
    },
  },
  {
    title: 'a replica that does not replay',
    raises: ['ReplicaLagging (ticket)'],
    async begin({ replicas }) {
      const pids = new Set(replicas[0]?.pids());
      const replaying = listProcesses().filter(({ pid, command }) => pids.has(pid) && / startup /.test(command));
      if (replaying.length === 0) throw new Error('no process of the replica replays');
      signalAll(
        replaying.map(({ pid }) => pid),
        'SIGSTOP',
      );
      return async () =>
        signalAll(
          replaying.map(({ pid }) => pid),
          'SIGCONT',
        );
    },
  },
  {
    title: 'a replica that is killed',
    raises: ['PostgresAway (page)', 'ReplicaOutOfRotation (ticket)', 'NoHealthyReplica (page)'],
    async begin({ replicas }) {
      await replicas[0]?.kill();
      return () => Promise.resolve(replicas[0]?.restart());
    },
  },
  {
    title: 'more connections than Postgres should have',
    raises: ['PostgresConnectionsHigh (ticket)'],
    async begin({ databaseUrl }) {
      const [server] = await query(
        databaseUrl,
        `SELECT current_setting('max_connections')::int AS most, count(datname)::int AS taken FROM pg_stat_activity`,
      );
      const missing = Math.ceil(0.9 * Number(server?.['most'])) - Number(server?.['taken']);
      const clients = Array.from({ length: missing }, () => new pg.Client({ connectionString: databaseUrl }));
      for (const client of clients) client.on('error', () => undefined);
      // The last may be refused: others have connections too.
      await Promise.allSettled(clients.map((client) => client.connect()));
      return () => Promise.all(clients.map((client) => client.end()));
    },
  },
  {
    title: 'a RabbitMQ over its memory watermark',
    raises: ['RabbitmqAlarm (ticket)', 'OutboxInUse (ticket)'],
    async begin({ rabbitmq }) {
      await rabbitmqctl(rabbitmq.pids(), 'set_vm_memory_high_watermark', 'absolute', '1MB');
      return () => rabbitmqctl(rabbitmq.pids(), 'set_vm_memory_high_watermark', 'absolute', '600MB');
    },
  },
  {
    title: 'a Redis with more to keep than it may',
    raises: ['RedisEvicting (ticket)'],
    async begin({ redisUrl }) {
      const client = createClient({ url: redisUrl });
      client.on('error', () => undefined);
      await client.connect();
      const value = 'x'.repeat(1_000_000);
      for (let count = 0; count < 330; count += 1) await client.set(`groundswell::filling-${count}`, value, { EX: 30 });
      client.destroy();
      return () => Promise.resolve();
    },
  },
  {
    title: 'a Redis that is killed',
    raises: ['RedisAway (ticket)', 'CacheFailing (ticket)'],
    async begin({ redis }) {
      await redis.kill();
      return () => redis.restart();
    },
  },
  {
    title: 'API processes that end over and over',
    raises: ['ProcessRestarting (ticket)', 'ApiProcessesMissing (ticket)'],
    async begin({ apis }) {
      const [parent = 0] = apis[0]?.pids() ?? [];
      const untilMs = Date.now() + 8_000;
      while (Date.now() < untilMs) {
        signalAll(
          listProcesses().flatMap(({ pid, parentPid }) => (parentPid === parent ? [pid] : [])),
          'SIGKILL',
        );
        await delay(200);
      }
      return () => Promise.resolve();
    },
  },
  {
    title: 'nginx and the API, killed',
    raises: ['NginxAway (page)', 'ApiAway (page)'],
    async begin({ nginx, apis }) {
      await Promise.all([nginx.kill(), apis[0]?.kill()]);
      return () => Promise.all([nginx.restart(), apis[0]?.restart()]);
    },
  },
];

/** As a machine with no CPU to spare, or a container with too little: it runs for 9 ms, then stands still for 300. */
async function starve(pids: readonly number[], forMs: number): Promise<void> {
  const untilMs = Date.now() + forMs;
  while (Date.now() < untilMs) {
    signalAll(pids, 'SIGSTOP');
    await delay(STARVE_MS);
    signalAll(pids, 'SIGCONT');
    await delay(RUN_MS);
  }
}

async function publishNonsense(amqpUrl: string, count: number): Promise<void> {
  const connection = await connect(amqpUrl);
  const channel = await connection.createConfirmChannel();
  for (let index = 0; index < count; index += 1) channel.publish(QUEUE, QUEUE, Buffer.from(`nonsense ${index}`));
  await channel.waitForConfirms();
  await connection.close();
}

/** Leaves a transaction open with what `work` did in it; the answer ends it. */
async function holdOpen(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('BEGIN');
  await work(client);
  return () => client.end();
}

/** As the node's own user would: its cookie, its port and its name are in the environment that it runs with. */
async function rabbitmqctl(pids: readonly number[], ...args: string[]): Promise<void> {
  const env = Object.fromEntries(
    pids
      .flatMap((pid) => readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0'))
      .filter((line) => /^(?:RABBITMQ_|ERL_EPMD_|HOME=|PATH=)/.test(line))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  await promisify(execFile)(join(dirname(requireProgram('rabbitmq')), 'rabbitmqctl'), args, { env });
}
