import { messageOf } from '../../src/runtime/errors.ts';
import { startCommand, type RunningCommand } from '../commands/start-command.ts';
import { runCommand } from '../commands/run-command.ts';
import { freePort } from '../servers/free-port.ts';
import { mountDisk, type Disk } from '../servers/mount-disk.ts';
import { query } from '../servers/query.ts';
import { startPostgres, type PostgresCluster } from '../servers/start-postgres.ts';
import { startRabbitmq, type RabbitmqServer } from '../servers/start-rabbitmq.ts';
import { startRedis, type RedisServer } from '../servers/start-redis.ts';
import { withPort } from '../servers/with-port.ts';
import { at } from './ask.ts';
import { createFaultProxy, type FaultProxy } from './fault-proxy.ts';

export const QUEUE = 'groundswell.interactions';
const ITEMS = 'mutation ($items: [ItemInput!]!) { upsertItems(items: $items) { userErrors { code } } }';

/** A process with a supervisor: it comes back on the same ports. */
export interface Supervised {
  readonly url: string;
  readonly metricsUrl: string;
  readonly env: Readonly<Record<string, string>>;
  current(): RunningCommand;
  /** SIGKILL, gone when it resolves. */
  kill(): Promise<void>;
  /** SIGTERM; the exit code. */
  terminate(): Promise<number | null>;
  /** After `kill` or `terminate`: the next one, listening. */
  start(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a process reaches its servers through. */
export interface Links {
  readonly postgres: FaultProxy;
  readonly rabbitmq: FaultProxy;
  readonly redis: FaultProxy;
  readonly replicas: readonly FaultProxy[];
}

export interface SystemUnderFault {
  readonly postgres: PostgresCluster;
  /** Of the primary; null where none can be mounted. */
  readonly disk: Disk | null;
  readonly rabbitmq: RabbitmqServer;
  readonly redis: RedisServer;
  readonly api: Supervised;
  readonly worker: Supervised;
  readonly links: { readonly api: Links; readonly worker: Links };
  /** Of the primary, past every proxy. */
  readonly databaseUrl: string;
  /** Another process in the same configuration and behind the same proxies. */
  supervise(entry: 'api' | 'worker', env?: Readonly<Record<string, string>>): Promise<Supervised>;
  run(command: string, args: readonly string[]): ReturnType<typeof runCommand>;
  addItems(ids: readonly string[]): Promise<void>;
  /** Null when every part of API and worker is ready, else what is not. */
  problem(): Promise<string | null>;
  heal(): Promise<void>;
  stop(): Promise<void>;
}

/** RabbitMQ, Redis, Postgres with two replicas, an API and a worker, and a proxy on every way between them. */
export async function startSystemUnderFault(): Promise<SystemUnderFault> {
  const ends: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const end of ends.splice(0).toReversed()) await end();
  };
  const endLater = <T extends { stop: () => Promise<unknown> }>(started: T): T => {
    ends.push(() => started.stop());
    return started;
  };

  try {
    const disk = await mountDisk().then(endLater, (error: unknown) => {
      process.stderr.write(
        `No disk can be mounted for Postgres, so the rows about its disk only imitate one: ${messageOf(error)}\n`,
      );
      return null;
    });
    const [postgres, rabbitmq, redis] = await together([
      startPostgres({ replicas: 2, disk, config: 'shared_buffers = 128MB\nmax_wal_size = 1GB' }).then(endLater),
      startRabbitmq().then(endLater),
      startRedis().then(endLater),
    ]);
    const database = await postgres.createDatabase('groundswell');
    const migrated = await runCommand('migrate', { DATABASE_URL: database.url });
    if (migrated.exitCode !== 0) throw new Error(migrated.stderr);

    const createLinks = async (): Promise<Links> => {
      const to = async (port: number): Promise<FaultProxy> => {
        const proxy = await createFaultProxy(port);
        ends.push(() => proxy.close());
        return proxy;
      };
      return {
        postgres: await to(postgres.primary.port),
        rabbitmq: await to(rabbitmq.port),
        redis: await to(redis.port),
        replicas: [await to(postgres.replicas[0]?.port ?? 0), await to(postgres.replicas[1]?.port ?? 0)],
      };
    };
    const links = { api: await createLinks(), worker: await createLinks() };
    const envOf = (entry: 'api' | 'worker'): Record<string, string> => {
      const through = links[entry];
      return {
        DATABASE_URL: withPort(database.url, through.postgres.port),
        DATABASE_REPLICA_URLS: database.replicaUrls
          .map((url, index) => withPort(url, through.replicas[index]?.port ?? 0))
          .join(','),
        AMQP_URL: withPort(rabbitmq.url, through.rabbitmq.port),
        REDIS_URL: withPort(redis.url, through.redis.port),
        QUEUE_NAME: QUEUE,
        SHUTDOWN_GRACE_MS: '500',
        LOG_LEVEL: 'warn',
      };
    };
    const supervise: SystemUnderFault['supervise'] = async (entry, env = {}) =>
      superviseCommand(entry, { ...envOf(entry), ...env });
    const [api, worker] = await together([supervise('api'), supervise('worker')]);
    ends.push(() => together([api[Symbol.asyncDispose](), worker[Symbol.asyncDispose]()]));

    return {
      postgres,
      disk,
      rabbitmq,
      redis,
      api,
      worker,
      links,
      databaseUrl: database.url,
      supervise,
      run: (command, args) => runCommand(command, envOf('worker'), args),
      async addItems(ids) {
        const items = ids.map((id) => ({ id, title: `Item ${id}` }));
        const response = await fetch(`${api.url}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-user-id': 'root', 'x-user-role': 'admin' },
          body: JSON.stringify({ query: ITEMS, variables: { items } }),
        });
        const text = await response.text();
        if (!text.includes('"userErrors":[]')) throw new Error(`items were not added: ${text}`);
      },
      async problem() {
        const problems = await Promise.all([problemOf(api.url), problemOf(worker.metricsUrl)]);
        return problems.find((problem) => problem !== null) ?? null;
      },
      async heal() {
        for (const { postgres, rabbitmq, redis, replicas } of Object.values(links)) {
          for (const proxy of [postgres, rabbitmq, redis, ...replicas]) await proxy.heal();
        }
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function superviseCommand(entry: 'api' | 'worker', given: Readonly<Record<string, string>>): Promise<Supervised> {
  const env = { ...given, PORT: String(await freePort()), METRICS_PORT: String(await freePort()) };
  let command = await startCommand(entry, env);
  const { url, metricsUrl } = command;
  return {
    url,
    metricsUrl,
    env,
    current: () => command,
    async kill() {
      command.signal('SIGKILL');
      await command.ended();
    },
    terminate() {
      command.signal('SIGTERM');
      return command.ended();
    },
    async start() {
      command = await startCommand(entry, env);
    },
    [Symbol.asyncDispose]: () => command[Symbol.asyncDispose](),
  };
}

/** Every part counts, also those that a process is ready without. */
async function problemOf(url: string): Promise<string | null> {
  const response = await fetch(`${url}/health/ready`, { headers: { connection: 'close' } }).catch(() => null);
  if (response === null) return `${url} does not answer`;
  const parts = at(await response.json(), 'parts');
  if (!Array.isArray(parts)) return `${url} does not say what is ready`;
  const unready = parts.find((part) => at(part, 'ready') !== true);
  return unready === undefined ? null : `${String(at(unready, 'name'))}: ${String(at(unready, 'problem'))}`;
}

/** Which of these interactions are not recorded. */
export async function missingOf(databaseUrl: string, ids: readonly string[]): Promise<string[]> {
  const rows = await query(
    databaseUrl,
    `SELECT id::text FROM unnest($1::uuid[]) AS wanted (id)
     WHERE NOT EXISTS (SELECT FROM interactions WHERE interactions.id = wanted.id)`,
    [ids],
  );
  return rows.map(({ id }) => String(id));
}

/** As `Promise.all`, but fails only when nothing is under way any more: what did start can then be ended. */
async function together<const Promises extends readonly unknown[]>(
  promises: Promises,
): Promise<{ -readonly [Index in keyof Promises]: Awaited<Promises[Index]> }> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}
