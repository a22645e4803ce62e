import type { Config } from './config.ts';
import { messageOf } from './runtime/errors.ts';
import type { Finding } from './runtime/finding.ts';
import type { Logger } from './runtime/logger.ts';
import { grantRights } from './adapters/postgres/postgres-grants.ts';
import { examineCollector } from './adapters/otel/otel-doctor.ts';
import { findMigrationsDir, migrate, schemaVersion } from './adapters/postgres/postgres-migrate.ts';
import { examinePostgres } from './adapters/postgres/postgres-doctor.ts';
import { examineRights } from './adapters/postgres/postgres-rights.ts';
import { schemaProblem } from './adapters/postgres/postgres-schema-version.ts';
import { connectForChecks } from './adapters/postgres/postgres-session.ts';
import { examineManagement, examineRabbitmq } from './adapters/rabbitmq/rabbitmq-doctor.ts';
import { examineRedis } from './adapters/redis/redis-doctor.ts';
import { openPostgres } from './wiring.ts';

export type MigrationOutcome =
  | {
      readonly ok: true;
      readonly applied: readonly string[];
      /** Group roles that an administrator has to make (docs/security.md). */
      readonly missingRoles: readonly string[];
    }
  | { readonly ok: false; readonly fault: string };

/** Applies what is pending; refuses to go through PgBouncer, which would share the session that holds the lock. */
export async function applyMigrations(config: Config, logger: Logger): Promise<MigrationOutcome> {
  const { url, directUrl } = config.database;
  if (url === null) {
    const postgres = await openPostgres(config, { role: 'command', logger });
    await postgres.stop();
    return { ok: true, applied: postgres.migrated, missingRoles: [] };
  }
  const name = directUrl === null ? 'DATABASE_URL' : 'DATABASE_DIRECT_URL';
  const target = directUrl ?? url;
  if (await isBehindPgBouncer(target)) {
    const advice = directUrl === null ? 'set DATABASE_DIRECT_URL to Postgres itself' : 'point it at Postgres itself';
    return { ok: false, fault: `${name}: leads through PgBouncer, where migrations are not safe: ${advice}` };
  }
  const { applied } = await migrate({ url: target, migrationsDir: findMigrationsDir() });
  return { ok: true, applied, missingRoles: await grantRights(target) };
}

/** What `npm run doctor` finds, part by part, each as soon as it is known. */
export async function* examineParts(config: Config, logger: Logger): AsyncGenerator<Finding> {
  yield* examineDatabase(config, logger);
  const { amqpUrls, managementUrl, name: queueName, partitions } = config.queue;
  if (amqpUrls.length === 0)
    yield { part: 'Queue', ok: true, text: 'the outbox table in Postgres (AMQP_URL is not set)' };
  for (const [index, url] of amqpUrls.entries()) {
    const part = amqpUrls.length === 1 ? 'RabbitMQ (AMQP_URL)' : `RabbitMQ (AMQP_URL, node ${index + 1})`;
    yield await examineRabbitmq(part, url, { queueName, partitions });
  }
  const [anyNode] = amqpUrls;
  if (anyNode !== undefined) yield await examineManagement(managementUrl, anyNode, { queueName, partitions });
  if (config.cache.redisUrl === null)
    yield { part: 'Cache', ok: true, text: 'in memory, per process (REDIS_URL is not set)' };
  else yield await examineRedis(config.cache.redisUrl);
  if (config.tracing !== null) yield await examineCollector(config.tracing.url, config.tracing.headers);
}

async function* examineDatabase(config: Config, logger: Logger): AsyncGenerator<Finding> {
  const { directUrl, replicaUrls, replicaMaxLagMs } = config.database;
  const embedded = config.database.url === null;
  const part = embedded ? 'Embedded Postgres' : 'Postgres (DATABASE_URL)';
  let postgres;
  try {
    postgres = await openPostgres(config, { role: 'command', logger });
  } catch (error) {
    yield { part, ok: false, text: messageOf(error) };
    return;
  }
  try {
    const finding = await examinePostgres({ part, url: postgres.url, replicaMaxLagMs: null });
    yield finding;
    if (directUrl !== null) yield await examineDirect(directUrl);
    if (finding.ok) {
      const migrations = await examineMigrations(directUrl ?? postgres.url);
      yield migrations;
      // Before, the tables are not all there.
      if (migrations.ok) yield await examineRights(`Rights (${embedded ? 'embedded' : 'DATABASE_URL'})`, postgres.url);
    }
    for (const [index, url] of replicaUrls.entries()) {
      yield await examinePostgres({ part: `Replica ${index + 1} (DATABASE_REPLICA_URLS)`, url, replicaMaxLagMs });
    }
  } finally {
    await postgres.stop();
  }
}

async function examineDirect(url: string): Promise<Finding> {
  const part = 'Postgres (DATABASE_DIRECT_URL)';
  const finding = await examinePostgres({ part, url, replicaMaxLagMs: null });
  if (!finding.ok || !(await isBehindPgBouncer(url))) return finding;
  return { part, ok: false, text: 'leads through PgBouncer: point it at Postgres itself' };
}

async function examineMigrations(url: string): Promise<Finding> {
  const part = 'Migrations';
  try {
    const version = await schemaVersion({ url, migrationsDir: findMigrationsDir() });
    const { pending, unknown } = version;
    const problem = schemaProblem(version);
    if (problem !== null) return { part, ok: false, text: [problem, ...pending].join('; ') };
    const newer = unknown.length === 0 ? '' : `, and ${unknown.length} of a newer version, which this one can work on`;
    return { part, ok: true, text: `all applied${newer}` };
  } catch (error) {
    return { part, ok: false, text: messageOf(error) };
  }
}

async function isBehindPgBouncer(url: string): Promise<boolean> {
  await using session = await connectForChecks(url);
  return session.behindPgBouncer;
}
