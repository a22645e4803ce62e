import { findMigrationsDir, migrate } from '../src/adapters/postgres/postgres-migrate.ts';
import { createDatabase, type Database } from '../src/adapters/postgres/prisma-database.ts';
import { createLogger } from '../src/runtime/logger.ts';
import { createMetrics } from '../src/runtime/metrics.ts';
import { query } from '../test/servers/query.ts';
import { startPostgres, type PostgresCluster } from '../test/servers/start-postgres.ts';

/** Durable, and with the room that anybody would give it. Commit times tell when a row was there. */
const CONFIG = [
  'shared_buffers = 1GB',
  'max_wal_size = 4GB',
  'checkpoint_timeout = 30min',
  'work_mem = 64MB',
  'maintenance_work_mem = 512MB',
  'track_commit_timestamp = on',
  'autovacuum_naptime = 1h',
].join('\n');

export function startBenchPostgres({ replicas = 0 } = {}): Promise<PostgresCluster> {
  return startPostgres({ config: CONFIG, replicas });
}

/** A database with every migration and `items` items, `item-1` and on. */
export async function createFilledCatalogue(postgres: PostgresCluster, items: number): Promise<string> {
  const { url } = await postgres.createDatabase();
  await migrate({ url, migrationsDir: findMigrationsDir() });
  await query(
    url,
    `INSERT INTO items (id, title, category, image_url)
     SELECT 'item-' || n, 'The ' || n || 'th of the titles', 'category-' || n % 8, 'https://images.example.com/' || n || '.jpg'
     FROM generate_series(1, $1::integer) AS n`,
    [items],
  );
  await query(url, "SELECT ensure_month(now()), ensure_month(now() - interval '8 days')");
  await query(url, 'ANALYZE items');
  return url;
}

export function openDatabase(url: string): Database {
  return createDatabase({
    url,
    replicaUrls: [],
    poolSize: 10,
    replicaMaxLagMs: 1_000,
    logger: createLogger('silent', 'bench'),
    metrics: createMetrics(),
  });
}
