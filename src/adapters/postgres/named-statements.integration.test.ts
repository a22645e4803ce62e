import { Pool } from 'pg';
import { expect, it } from 'vitest';
import { openDatabase } from '../../../test/open-database.ts';
import { createTestDatabase } from '../../../test/servers/create-test-database.ts';
import { startPgbouncer } from '../../../test/servers/start-pgbouncer.ts';
import { createNamedStatements, PLAN_KEPT } from './named-statements.ts';

/** What the one connection to `url` has a name for, after asking thrice what is to be kept and what is not. */
async function keptBy(url: string): Promise<string[]> {
  const database = openDatabase(url);
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

it('Postgres itself ends a statement that takes too long, and PgBouncer hands no limit on to others', async () => {
  await using server = await createTestDatabase();
  await using pgbouncer = await startPgbouncer({ postgres: server });
  const limitOf = async (url: string): Promise<unknown> => {
    const database = openDatabase(url, { statementTimeoutMs: 50 });
    try {
      const [row] = await database.primary(
        (client) => client.$queryRaw<{ limit: string }[]>`SELECT current_setting('statement_timeout') AS limit`,
      );
      return row?.limit;
    } finally {
      await database.close();
    }
  };
  expect(await limitOf(server.url)).toBe('50ms');
  expect(await limitOf(pgbouncer.url)).toBe('0');
});
