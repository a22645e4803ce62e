import { readdir, readFile } from 'node:fs/promises';
import { createDatabase, type Database } from '../src/adapters/postgres/prisma-database.ts';
import { createLogger } from '../src/runtime/logger.ts';
import { createMetrics, type Metrics } from '../src/runtime/metrics.ts';
import { createTestDatabase, type TestDatabase } from './servers/create-test-database.ts';
import { query } from './servers/query.ts';

export interface MigratedDatabase {
  readonly database: Database;
  readonly server: TestDatabase;
  readonly metrics: Metrics;
  /** Another client of it, for whoever asks to close. */
  connect(): Database;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The migrations' SQL in order. */
export async function migrations(): Promise<string[]> {
  const folder = new URL('../prisma/migrations/', import.meta.url);
  const names = (await readdir(folder, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  return Promise.all(names.toSorted().map((name) => readFile(new URL(`${name}/migration.sql`, folder), 'utf8')));
}

/** An empty database, by default a fresh one on the shared Postgres with its replica, with every migration; gone when disposed. */
export async function createMigratedDatabase(given?: TestDatabase): Promise<MigratedDatabase> {
  const server = given ?? (await createTestDatabase());
  for (const sql of await migrations()) await query(server.url, sql);
  const metrics = createMetrics();
  const connect = (): Database =>
    createDatabase({
      url: server.url,
      replicaUrls: server.replicaUrls,
      poolSize: 8,
      replicaMaxLagMs: 5_000,
      logger: createLogger('silent', 'test'),
      metrics,
    });
  const database = connect();
  return {
    database,
    server,
    metrics,
    connect,
    async [Symbol.asyncDispose]() {
      await database.close();
      await server.drop();
    },
  };
}
