import { startPgbouncer } from '../../test/servers/start-pgbouncer.ts';
import { startPostgres } from '../../test/servers/start-postgres.ts';
import { startRabbitmq } from '../../test/servers/start-rabbitmq.ts';
import { startRedis } from '../../test/servers/start-redis.ts';
import { processesOfRun, testRunId } from '../../test/servers/test-run.ts';
import type { Use } from './assemble.ts';

export const PEER_PGBOUNCER = 'max_client_conn = 2000';

export interface StackServers {
  /** Of the primary, past PgBouncer. */
  readonly directUrl: string;
  readonly pooledUrl: string;
  readonly replicaUrl: string;
  readonly amqpUrl: string;
  readonly redisUrl: string;
}

/** Of the guide's stack; ours has deploy/postgres/postgresql.conf. bench/peers/django/README.md sets them side by side. */
export const PEER_POSTGRES = [
  'shared_buffers = 1GB',
  'max_wal_size = 4GB',
  'checkpoint_timeout = 15min',
  'work_mem = 32MB',
  'random_page_cost = 1.1',
].join('\n');

/** Postgres with a streaming replica, PgBouncer before the primary, RabbitMQ and Redis: what stands behind the guide's stack. */
export async function startStackServers(use: Use): Promise<StackServers> {
  const postgres = use(await startPostgres({ replicas: 1, config: PEER_POSTGRES }));
  const redis = use(await startRedis());
  const rabbitmq = use(await startRabbitmq());
  const { url, replicaUrls } = await postgres.createDatabase('load');
  const pgbouncer = use(await startPgbouncer({ postgres: { url }, config: PEER_PGBOUNCER }));
  return {
    directUrl: url,
    pooledUrl: pgbouncer.url,
    replicaUrl: replicaUrls[0] ?? url,
    amqpUrl: rabbitmq.url,
    redisUrl: redis.url,
  };
}

const PARTS: readonly (readonly [RegExp, string])[] = [
  [/pgbouncer/, 'PgBouncer'],
  [/postgres/, 'Postgres'],
  [/redis-server/, 'Redis'],
  [/beam|rabbitmq|epmd|erl_child|inet_gethost/, 'RabbitMQ'],
  [/nginx/, 'nginx'],
];

/** Every process of this run that is a part of a stack; `own` are the stack's own programs, looked at first. */
export function stackProcesses(own: readonly (readonly [RegExp, string])[]): ReadonlyMap<number, string> {
  const patterns = [...own, ...PARTS];
  return new Map(
    processesOfRun(testRunId()).flatMap(({ pid, command }) => {
      const part = patterns.find(([pattern]) => pattern.test(command))?.[1];
      return part === undefined || /locustfile/.test(command) ? [] : [[pid, part] as const];
    }),
  );
}
