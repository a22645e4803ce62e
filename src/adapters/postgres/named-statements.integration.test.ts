import { Pool } from 'pg';
import { expect, it } from 'vitest';
import { createTestDatabase } from '../../../test/servers/create-test-database.ts';
import { startPgbouncer } from '../../../test/servers/start-pgbouncer.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { createNamedStatements, PLAN_KEPT } from './named-statements.ts';
import { createDatabase } from './prisma-database.ts';

/** What the one connection to `url` has a name for, after asking thrice what is to be kept and what is not. */
async function keptBy(url: string): Promise<string[]> {
  const database = createDatabase({
    url,
    replicaUrls: [],
    poolSize: 1,
    replicaMaxLagMs: 1_000,
    logger: createLogger('silent', 'test'),
    metrics: createMetrics(),
  });
  try {
    for (let n = 0; n < 3; n += 1) {
      await database.primary(
        (client) => client.$queryRaw`SELECT ${PLAN_KEPT} ${n}::integer AS kept FROM pg_class LIMIT 1`,
      );
      await database.primary((client) => client.$queryRaw`SELECT ${n}::integer AS other`);
    }
    const rows = await database.primary(
      (client) =>
        client.$queryRaw<{ kept: string }[]>`SELECT name || ': ' || statement AS kept FROM pg_prepared_statements`,
    );
    return rows.map(({ kept }) => kept);
  } finally {
    await database.close();
  }
}

it('Postgres itself keeps the plan of what says so, and of nothing else', async () => {
  await using server = await createTestDatabase();
  expect(await keptBy(server.url)).toEqual([
    `groundswell_1_select_pg_class: SELECT ${PLAN_KEPT.sql} $1::integer AS kept FROM pg_class LIMIT 1`,
  ]);
});

it('behind PgBouncer nothing has a name', async () => {
  await using server = await createTestDatabase();
  await using pgbouncer = await startPgbouncer({ postgres: server });
  expect(await keptBy(pgbouncer.url)).toEqual([]);
});

it('a connection that ends while it is asked fails the asking, and not the process', async () => {
  await using server = await createTestDatabase();
  const pool = new Pool({ connectionString: server.url });
  const client = await pool.connect();
  const asked = new Promise<Error | undefined>((resolve) => createNamedStatements().verify(client, resolve));
  Reflect.get(Reflect.get(client, 'connection'), 'stream').destroy();
  const error = await asked;
  expect(error?.message).toBe('Connection terminated unexpectedly');
  client.release(error);
  await pool.end();
});
