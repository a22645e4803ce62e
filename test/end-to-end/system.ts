import { setTimeout as delay } from 'node:timers/promises';
import { startCommand } from '../commands/start-command.ts';
import { runCommand } from '../commands/run-command.ts';
import { createTestDatabase } from '../servers/create-test-database.ts';
import { createTestRedis } from '../servers/create-test-redis.ts';
import { startPgbouncer } from '../servers/start-pgbouncer.ts';
import { testQueue } from '../servers/test-queue.ts';
import { testDirectory } from '../servers/test-run.ts';

export interface System {
  /** Of the API. */
  readonly url: string;
  readonly env: Readonly<Record<string, string>>;
  /** The primary, where there is one to look into. */
  readonly databaseUrl: string | null;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Nothing configured: `npm start` on an empty folder, worker inside. */
export async function startEmbedded(): Promise<System> {
  const env = { DATA_DIR: testDirectory('data'), LOG_LEVEL: 'warn' };
  const main = await startCommand('main', env);
  return {
    url: main.url,
    env,
    databaseUrl: null,
    [Symbol.asyncDispose]: () => main[Symbol.asyncDispose](),
  };
}

/**
 * RabbitMQ, Redis, Postgres and its streaming replica; API and worker as processes of their own, on request with
 * PgBouncer in transaction mode between them and the primary.
 */
export async function startOnServers({ worker: withWorker = true, pgbouncer = false } = {}): Promise<System> {
  const database = await createTestDatabase();
  const pool = pgbouncer ? await startPgbouncer({ postgres: database }) : null;
  const { url: redisUrl } = await createTestRedis();
  const { url: amqpUrl, queue } = testQueue();
  const env = {
    ...(pool === null ? { DATABASE_URL: database.url } : { DATABASE_URL: pool.url, DATABASE_DIRECT_URL: database.url }),
    DATABASE_REPLICA_URLS: database.replicaUrls.join(','),
    REDIS_URL: redisUrl,
    AMQP_URL: amqpUrl,
    QUEUE_NAME: queue,
    LOG_LEVEL: 'warn',
  };
  const migrated = await runCommand('migrate', env);
  if (migrated.exitCode !== 0) throw new Error(migrated.stderr);
  const api = await startCommand('api', env);
  const worker = withWorker ? await startCommand('worker', env) : null;
  return {
    url: api.url,
    env,
    databaseUrl: database.url,
    async [Symbol.asyncDispose]() {
      await Promise.all([api[Symbol.asyncDispose](), worker?.[Symbol.asyncDispose]()]);
      await pool?.stop();
      await database.drop();
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // What a client gets is checked by what the tests expect of it.
  readonly body: {
    data?: Record<string, unknown> | null;
    errors?: { message: string; extensions: { code: string } }[];
  };
}

export async function ask(
  system: Pick<System, 'url'>,
  query: string,
  variables: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`${system.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
  });
  return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
}

export const as = (userId: string): Record<string, string> => ({ 'x-user-id': userId });
export const asAdmin = { 'x-user-id': 'root', 'x-user-role': 'admin' };

/** Asks until the answer is right, and fails with the last answer when it is not within the deadline. */
export async function askUntil(
  question: () => Promise<Answer>,
  isRight: (data: Record<string, unknown>) => boolean,
  deadlineMs: number,
): Promise<number> {
  const started = performance.now();
  for (;;) {
    const { body } = await question();
    const elapsed = performance.now() - started;
    if (body.data && isRight(body.data)) return elapsed;
    if (elapsed > deadlineMs) throw new Error(`not right within ${deadlineMs} ms: ${JSON.stringify(body)}`);
    await delay(20);
  }
}
