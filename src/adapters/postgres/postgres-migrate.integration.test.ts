import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../embedded/embedded-postgres.ts';
import { findMigrationsDir, migrate, pendingMigrations } from './postgres-migrate.ts';

let postgres: EmbeddedPostgres;
let admin: pg.Client;
let migrationsDir: string;
let url: string;
let databases = 0;

beforeAll(async () => {
  postgres = await startEmbeddedPostgres({ dataDir: await mkdtemp(join(tmpdir(), 'migrate-')), role: 'command' });
  admin = new pg.Client({ connectionString: postgres.url });
  await admin.connect();
}, 60_000);

afterAll(async () => {
  await admin.end();
  await postgres.stop();
  await rm(postgres.dataDir, { recursive: true });
});

beforeEach(async () => {
  const name = `migrate_${(databases += 1)}`;
  await admin.query(`CREATE DATABASE ${name}`);
  url = postgres.url.replace(/[^/]+$/, name);
  migrationsDir = join(postgres.dataDir, `${name}-migrations`);
  await mkdir(migrationsDir);
  await writeFile(join(migrationsDir, 'migration_lock.toml'), 'provider = "postgresql"\n');
});

async function addMigration(name: string, sql: string): Promise<void> {
  await mkdir(join(migrationsDir, name), { recursive: true });
  await writeFile(join(migrationsDir, name, 'migration.sql'), sql);
}

async function query(sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test('what is pending is applied once, in order, and then nothing is pending', async () => {
  await addMigration('2_second', 'ALTER TABLE a ADD COLUMN y int;');
  await addMigration('1_first', 'CREATE TABLE a (x int);');
  expect(await pendingMigrations({ url, migrationsDir })).toEqual(['1_first', '2_second']);
  expect(await migrate({ url, migrationsDir })).toEqual({ applied: ['1_first', '2_second'] });
  expect(await pendingMigrations({ url, migrationsDir })).toEqual([]);
  expect(await migrate({ url, migrationsDir })).toEqual({ applied: [] });
  expect(await query('SELECT migration_name, applied_steps_count FROM _prisma_migrations ORDER BY 1')).toEqual([
    { migration_name: '1_first', applied_steps_count: 1 },
    { migration_name: '2_second', applied_steps_count: 1 },
  ]);
});

test('semicolons in comments, strings and function bodies do not cut a migration', async () => {
  await addMigration(
    '1_function',
    `-- one; two
     CREATE FUNCTION twice(x int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN x := x * 2; RETURN x; END $$;
     CREATE TABLE said AS SELECT 'a;b' AS text;`,
  );
  await migrate({ url, migrationsDir });
  expect(await query('SELECT twice(21), text FROM said')).toEqual([{ twice: 42, text: 'a;b' }]);
});

test('a failing migration is named with its line, leaves nothing behind, and applies once it is mended', async () => {
  await addMigration('1_bad', 'CREATE TABLE a (x int);\nCREATE TABLE b (x nonsense);\n');
  await expect(migrate({ url, migrationsDir })).rejects.toMatchObject({
    name: 'MigrationError',
    code: 'MIGRATION_FAILED',
    message: 'migration 1_bad, line 2: type "nonsense" does not exist',
  });
  expect(await query(`SELECT to_regclass('a') AS a`)).toEqual([{ a: null }]);
  expect(await pendingMigrations({ url, migrationsDir })).toEqual(['1_bad']);

  await addMigration('1_bad', 'CREATE TABLE a (x int);\nCREATE TABLE b (x int);\n');
  expect(await migrate({ url, migrationsDir })).toEqual({ applied: ['1_bad'] });
});

test('processes that migrate at once apply each migration once', async () => {
  await addMigration('1_slow', 'SELECT pg_sleep(0.3); CREATE TABLE a (x int);');
  await addMigration('2_more', 'CREATE TABLE b (x int);');
  const results = await Promise.all([1, 2, 3].map(() => migrate({ url, migrationsDir })));
  expect(results.flatMap((result) => result.applied).sort()).toEqual(['1_slow', '2_more']);
  expect(await query('SELECT count(*)::int AS rows FROM _prisma_migrations')).toEqual([{ rows: 2 }]);
});

test('the migrations of this package apply to an empty database', async () => {
  const own = { url, migrationsDir: findMigrationsDir() };
  const pending = await pendingMigrations(own);
  expect(pending.length).toBeGreaterThan(0);
  expect(await migrate(own)).toEqual({ applied: pending });
});
