import { expect, it } from 'vitest';
import { createTestDatabase } from '../servers/create-test-database.ts';
import { query } from '../servers/query.ts';
import { startPgbouncer } from '../servers/start-pgbouncer.ts';
import { runCommand } from './run-command.ts';

it('migrate applies what is pending, names it, and ends; a second run finds nothing to do', async () => {
  await using database = await createTestDatabase();
  const startedAtMs = performance.now();
  const first = await runCommand('migrate', { DATABASE_URL: database.url });
  // Of Prisma's engine there is a timer of 10 s.
  expect(performance.now() - startedAtMs).toBeLessThan(9_000);
  expect(first).toMatchObject({ exitCode: 0, stderr: '' });
  expect(first.stdout).toMatch(/^applied \d+_init$/m);
  const second = await runCommand('migrate', { DATABASE_URL: database.url });
  expect(second).toEqual({ exitCode: 0, stdout: 'nothing to do: every migration is applied\n', stderr: '' });
});

it('migrate refuses to go through PgBouncer, and goes past it where it is told the way', async () => {
  await using database = await createTestDatabase();
  await using pgbouncer = await startPgbouncer({ postgres: { url: database.url } });
  const refused = await runCommand('migrate', { DATABASE_URL: pgbouncer.url });
  expect(refused.exitCode).toBe(78);
  expect(refused.stderr).toMatch(/^DATABASE_URL: .*PgBouncer.*DATABASE_DIRECT_URL.*\n$/);
  expect(await query(database.url, "SELECT to_regclass('items') AS items")).toEqual([{ items: null }]);

  const wrongWay = await runCommand('migrate', { DATABASE_URL: pgbouncer.url, DATABASE_DIRECT_URL: pgbouncer.url });
  expect(wrongWay.exitCode).toBe(78);
  expect(wrongWay.stderr).toMatch(/^DATABASE_DIRECT_URL: .*PgBouncer/);

  const direct = await runCommand('migrate', { DATABASE_URL: pgbouncer.url, DATABASE_DIRECT_URL: database.url });
  expect(direct).toMatchObject({ exitCode: 0, stderr: '' });
  expect(await query(database.url, "SELECT to_regclass('items')::text AS items")).toEqual([{ items: 'items' }]);
});

it('migrate says in one line, without the password, that Postgres is away', async () => {
  const outcome = await runCommand('migrate', { DATABASE_URL: 'postgres://app:hunter2@127.0.0.1:1/x' });
  expect(outcome.exitCode).toBe(1);
  expect(outcome.stderr.trim().split('\n')).toHaveLength(1);
  expect(outcome.stderr).toContain('ECONNREFUSED');
  expect(outcome.stderr).not.toContain('hunter2');
});
