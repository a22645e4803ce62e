import { createDatabase, type Database, type DatabaseOptions } from '../src/adapters/postgres/prisma-database.ts';
import { createLogger } from '../src/runtime/logger.ts';
import { createMetrics } from '../src/runtime/metrics.ts';

/** A primary without replicas, over one connection where `options` say nothing else. For whoever opens it to close. */
export function openDatabase(
  url: string,
  options: Partial<Pick<DatabaseOptions, 'poolSize' | 'statementTimeoutMs'>> = {},
): Database {
  return createDatabase({
    url,
    replicaUrls: [],
    poolSize: 1,
    replicaMaxLagMs: 1_000,
    logger: createLogger('silent', 'test'),
    metrics: createMetrics(),
    ...options,
  });
}
