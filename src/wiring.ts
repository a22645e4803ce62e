import type { Config } from './config.ts';
import { createFallbackQueue } from './interactions/fallback-queue.ts';
import { traceQueue } from './interactions/traced-queue.ts';
import { measureQueue } from './interactions/measured-queue.ts';
import type { DeliverySource, InteractionQueue } from './interactions/queue.ts';
import type { Ports, ReadinessProbe } from './ports.ts';
import { createDrainList } from './runtime/drain-list.ts';
import type { Logger } from './runtime/logger.ts';
import type { Metrics } from './runtime/metrics.ts';
import { noTracing, type Tracing } from './runtime/tracing.ts';
import { startEmbeddedPostgres } from './adapters/embedded/embedded-postgres.ts';
import { createKeyvCache } from './adapters/keyv-cache.ts';
import { createMemoryPendingWrites } from './adapters/memory-pending-writes.ts';
import { createPostgresEraser } from './adapters/postgres/postgres-eraser.ts';
import { createPostgresInteractionReader } from './adapters/postgres/postgres-interaction-reader.ts';
import { createPostgresItemStore } from './adapters/postgres/postgres-item-store.ts';
import { findMigrationsDir, migrate, migrationNames } from './adapters/postgres/postgres-migrate.ts';
import { createOutboxQueue, createOutboxSource } from './adapters/postgres/postgres-outbox.ts';
import { createPostgresMaintenance } from './adapters/postgres/postgres-partitions.ts';
import { createPostgresPopularityReader } from './adapters/postgres/postgres-popularity-reader.ts';
import { createPostgresRankingStore } from './adapters/postgres/postgres-ranking-store.ts';
import { createPostgresRecorder } from './adapters/postgres/postgres-recorder.ts';
import { createPostgresRejectedStore } from './adapters/postgres/postgres-rejected-store.ts';
import { askOnce, holdWhileAnswering } from './adapters/postgres/postgres-probe.ts';
import { createSchemaCheck } from './adapters/postgres/postgres-schema-check.ts';
import { createPostgresStandings } from './adapters/postgres/postgres-standings.ts';
import { createPostgresWriteProgress } from './adapters/postgres/postgres-write-progress.ts';
import { createDatabase, type Database } from './adapters/postgres/prisma-database.ts';
import { connectRabbitmqQueue } from './adapters/rabbitmq/rabbitmq-queue.ts';
import { createRabbitmqSource } from './adapters/rabbitmq/rabbitmq-source.ts';
import { connectRedis } from './adapters/redis/redis-connection.ts';
import { createRedisPendingWrites } from './adapters/redis/redis-pending-writes.ts';

/** Redis that hangs makes a read so much slower until the breaker opens. */
const CACHE_DEADLINE_MS = 20;
/** How soon an accepted interaction is found where the outbox is the queue, and where it only steps in. */
const OUTBOX_POLL_MS = 25;
const OUTBOX_FALLBACK_POLL_MS = 250;
/** After a confirm that did not come in time: by default a client is refused within a second when both are away. */
const OUTBOX_FALLBACK_DEADLINE_MS = 400;
const OUTBOX_FALLBACK_SHARE = 0.8;

export interface WiringOptions {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracing?: Tracing;
  /** Whoever serves requests: Postgres ends what nobody waits for any more. Not set: no statement has a limit. */
  readonly statementTimeoutMs?: number;
  /** On the embedded Postgres: `server` is the one that serves from the folder, a `command` works beside it. */
  readonly role: 'server' | 'command';
  /** Its probes are asked once, before its work, and not by whoever watches a process that goes on. */
  readonly runsOnce?: boolean;
}

/** Chooses every part by what is configured: the one place where adapters are named. */
export async function createPorts(config: Config, options: WiringOptions): Promise<Ports> {
  const { logger, metrics } = options;
  const open = createDrainList(logger);
  try {
    const postgres = await openPostgres(config, options);
    open.add('Postgres', () => postgres.stop());
    const database = createDatabase({
      url: postgres.url,
      replicaUrls: config.database.replicaUrls,
      poolSize: config.database.poolSize,
      replicaMaxLagMs: config.database.replicaMaxLagMs,
      statementTimeoutMs: options.statementTimeoutMs ?? null,
      logger,
      metrics,
      tracing: options.tracing ?? noTracing,
    });
    open.add('database', () => database.close());
    // Both wait a moment for servers that may be away.
    const [queue, store] = await Promise.all([openQueue(config, database, options), openStore(config, options)]);
    open.add('store', () => store.close());
    open.add('queue', () => queue.close());
    return {
      queue: queue.queue,
      createSources: () => queue.createSources(),
      cache: store.cache,
      pending: store.pending,
      recorder: createPostgresRecorder(database),
      interactions: createPostgresInteractionReader(database),
      progress: createPostgresWriteProgress(database),
      rejected: createPostgresRejectedStore(database),
      eraser: createPostgresEraser(database),
      items: createPostgresItemStore(database),
      rankings: createPostgresRankingStore(database),
      popularity: createPostgresPopularityReader(database),
      standings: createPostgresStandings({ database }),
      maintenance: createPostgresMaintenance(database),
      probes: [...postgresProbes(config, database, options), ...queue.probes, ...store.probes],
      close: () => open.drain(),
    };
  } catch (error) {
    await open.abandon();
    throw error;
  }
}

export interface OpenPostgres {
  /** With the password: not for logs. */
  readonly url: string;
  /** The folder of the embedded one; null where Postgres is one of the user's own. */
  readonly dataDir: string | null;
  /** Migrations that were applied just now. */
  readonly migrated: readonly string[];
  stop(): Promise<void>;
}

/** The configured one, or the embedded one with every migration applied. */
export async function openPostgres(
  config: Config,
  { role, logger }: Omit<WiringOptions, 'metrics'>,
): Promise<OpenPostgres> {
  const { url } = config.database;
  if (url !== null) return { url, dataDir: null, migrated: [], stop: async () => undefined };
  const embedded = await startEmbeddedPostgres({ dataDir: config.database.dataDir, role, logger });
  try {
    const { applied } = await migrate({ url: embedded.url, migrationsDir: findMigrationsDir() });
    const { dataDir } = embedded;
    return { url: embedded.url, dataDir, migrated: applied, stop: () => embedded.stop() };
  } catch (error) {
    await embedded.stop();
    throw error;
  }
}

interface OpenQueue {
  readonly queue: InteractionQueue;
  createSources(): DeliverySource[];
  readonly probes: readonly ReadinessProbe[];
  close(): Promise<void>;
}

async function openQueue(config: Config, database: Database, { logger, metrics }: WiringOptions): Promise<OpenQueue> {
  const { amqpUrls: urls, name: queueName, partitions, prefetch, publishDeadlineMs: deadlineMs } = config.queue;
  const { maxInFlight } = config.queue;
  const fallbackDeadlineMs = Math.max(OUTBOX_FALLBACK_DEADLINE_MS, deadlineMs * OUTBOX_FALLBACK_SHARE);
  const outboxQueue = createOutboxQueue(database, urls.length === 0 ? undefined : fallbackDeadlineMs);
  const outbox = measureQueue('outbox', traceQueue('outbox', 'outbox', outboxQueue), metrics);
  const outboxSource = (pollMs: number): DeliverySource => createOutboxSource({ database, prefetch, pollMs, logger });
  if (urls.length === 0) {
    return {
      queue: outbox,
      createSources: () => [outboxSource(OUTBOX_POLL_MS)],
      probes: [],
      close: async () => undefined,
    };
  }
  const rabbitmq = await connectRabbitmqQueue({ urls, queueName, partitions, deadlineMs, maxInFlight, logger });
  return {
    queue: createFallbackQueue({
      first: measureQueue('rabbitmq', traceQueue('rabbitmq', queueName, rabbitmq), metrics),
      second: outbox,
    }),
    createSources: () => [
      createRabbitmqSource({ urls, queueName, partitions, prefetch, logger }),
      outboxSource(OUTBOX_FALLBACK_POLL_MS),
    ],
    probes: [{ name: 'rabbitmq', required: false, check: async () => rabbitmq.fault() }],
    close: () => rabbitmq.close(),
  };
}

interface OpenStore extends Pick<Ports, 'cache' | 'pending'> {
  readonly probes: readonly ReadinessProbe[];
  close(): Promise<void>;
}

async function openStore(config: Config, { logger, metrics }: WiringOptions): Promise<OpenStore> {
  const url = config.cache.redisUrl;
  if (url === null) {
    return {
      cache: createKeyvCache(null),
      pending: createMemoryPendingWrites(),
      probes: [],
      close: async () => undefined,
    };
  }
  const redis = await connectRedis({ url, deadlineMs: CACHE_DEADLINE_MS, logger, metrics });
  return {
    cache: createKeyvCache(redis),
    pending: createRedisPendingWrites(redis),
    probes: [{ name: 'redis', required: false, check: () => redis.check() }],
    close: () => redis.close(),
  };
}

function postgresProbes(
  config: Config,
  database: Database,
  { runsOnce = false, logger }: Pick<WiringOptions, 'runsOnce' | 'logger'>,
): ReadinessProbe[] {
  const probe = (name: string, required: boolean, find: () => Promise<string | null>): ReadinessProbe => ({
    name,
    required,
    check: runsOnce ? askOnce(find) : holdWhileAnswering(find, () => database.primarySilentMs()),
  });
  const checkSchema = createSchemaCheck({ database, logger, known: () => migrationNames(findMigrationsDir()) });
  const probes = [
    probe('postgres', true, async () => {
      const rows = await database.primary(
        (client) => client.$queryRaw<{ standby: boolean }[]>`SELECT pg_is_in_recovery() AS standby`,
      );
      return rows[0]?.standby === false ? null : 'is a read-only standby';
    }),
    probe('migrations', true, checkSchema),
  ];
  if (config.database.replicaUrls.length === 0) return probes;
  return [...probes, probe('replicas', false, async () => database.replicaFaults().join('; ') || null)];
}
