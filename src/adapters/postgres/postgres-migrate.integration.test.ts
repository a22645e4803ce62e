import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createFaultProxy } from '../../../test/faults/fault-proxy.ts';
import { waitFor } from '../../../test/servers/wait-for.ts';
import { withPort } from '../../../test/servers/with-port.ts';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../embedded/embedded-postgres.ts';
import { grantRights } from './postgres-grants.ts';
import { findMigrationsDir, migrate, pendingMigrations, schemaVersion } from './postgres-migrate.ts';
import { schemaProblem } from './postgres-schema-version.ts';

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

test('a migration that the server finished though its process was gone is applied', async () => {
  await addMigration('1_slow', 'SELECT pg_sleep(0.7); CREATE TABLE a (x int);');
  const proxy = await createFaultProxy(Number(new URL(url).port));
  try {
    const migrating = migrate({ url: withPort(url, proxy.port), migrationsDir });
    migrating.catch(() => undefined);
    const running = "SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(0.7)%' AND state = 'active'";
    await waitFor('the migration to run', async () => (await query(running)).length === 1);
    proxy.refuse();
    await expect(migrating).rejects.toThrow();
    await waitFor('the server to be done with it', async () => (await query(running)).length === 0);
  } finally {
    await proxy.close();
  }
  expect(await query("SELECT to_regclass('a')::text AS made")).toEqual([{ made: 'a' }]);
  expect(await migrate({ url, migrationsDir })).toEqual({ applied: [] });
  expect(await pendingMigrations({ url, migrationsDir })).toEqual([]);
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

test('a migration waits for a lock in short turns, between which others pass, and applies once it is free', async () => {
  await addMigration('1_table', 'CREATE TABLE a (x int);');
  await migrate({ url, migrationsDir });
  await addMigration('2_column', 'ALTER TABLE a ADD COLUMN y int;');
  const reader = new pg.Client({ connectionString: url });
  await reader.connect();
  try {
    await reader.query('BEGIN; SELECT FROM a');
    const migrating = migrate({ url, migrationsDir, lockTimeoutMs: 1_000 });
    // Queues up behind the migration, and gets through all the same.
    await waitFor('the migration to wait for the lock', async () => {
      const waiting = await query("SELECT FROM pg_locks WHERE relation = 'a'::regclass AND NOT granted");
      return waiting.length === 1;
    });
    await query('SELECT FROM a');
    await reader.query('COMMIT');
    expect(await migrating).toEqual({ applied: ['2_column'] });

    await addMigration('3_column', 'ALTER TABLE a ADD COLUMN z int;');
    await reader.query('BEGIN; SELECT FROM a');
    await expect(migrate({ url, migrationsDir, lockTimeoutMs: 50, patienceMs: 0 })).rejects.toThrow(
      'migration 3_column: canceling statement due to lock timeout',
    );
    await reader.query('COMMIT');
    expect(await migrate({ url, migrationsDir })).toEqual({ applied: ['3_column'] });
  } finally {
    await reader.end();
  }
});

test('left to itself a migration waits for no lock longer than 2 s, and may itself take its time', async () => {
  const limits = ['lock_timeout', 'statement_timeout'].map((name) => `current_setting('${name}') AS ${name}`);
  await addMigration('1_limits', `CREATE TABLE said AS SELECT ${limits.join(', ')};`);
  await query(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET statement_timeout = '5s'`);
  await migrate({ url, migrationsDir });
  expect(await query('SELECT * FROM said')).toEqual([{ lock_timeout: '2s', statement_timeout: '0' }]);
});

test('a migration waits for another as long as that takes, whatever limits the database has', async () => {
  await addMigration('1_table', 'CREATE TABLE a (x int);');
  await addMigration('2_slow', 'SELECT pg_sleep(1.5);');
  const database = new URL(url).pathname.slice(1);
  await query(
    `ALTER DATABASE ${database} SET statement_timeout = 500; ALTER DATABASE ${database} SET lock_timeout = 500`,
  );
  const results = await Promise.all([1, 2].map(() => migrate({ url, migrationsDir })));
  expect(results.flatMap(({ applied }) => applied).sort()).toEqual(['1_table', '2_slow']);
});

test('a version tells an older schema, a newer one it can work on, and one it cannot', async () => {
  await addMigration(
    '1_first',
    "CREATE TABLE schema_floor (migration text); INSERT INTO schema_floor VALUES ('1_first');",
  );
  await addMigration('2_ours', 'CREATE TABLE a (x int);');
  const ours = { url, migrationsDir };
  const newer = { url, migrationsDir: `${migrationsDir}-newer` };
  expect(schemaProblem(await schemaVersion(ours))).toBe(
    'the schema is older than this version, 2 pending: npm run migrate',
  );
  await migrate(ours);
  expect(schemaProblem(await schemaVersion(ours))).toBeNull();

  await cp(migrationsDir, newer.migrationsDir, { recursive: true });
  migrationsDir = newer.migrationsDir;
  await addMigration('3_expands', 'ALTER TABLE a ADD COLUMN y int;');
  await migrate(newer);
  expect(await schemaVersion(ours)).toMatchObject({ pending: [], unknown: ['3_expands'], belowFloor: false });
  expect(schemaProblem(await schemaVersion(ours))).toBeNull();

  await addMigration('4_contracts', "ALTER TABLE a DROP COLUMN x; UPDATE schema_floor SET migration = '3_expands';");
  await migrate(newer);
  expect(schemaProblem(await schemaVersion(ours))).toBe(
    'the schema is newer than this version can work on (it must know 3_expands): start a newer version',
  );
  expect(schemaProblem(await schemaVersion(newer))).toBeNull();
});

test('an owner who may make no roles migrates all the same; once the roles are there, they get their rights', async () => {
  await admin.query(`DROP ROLE IF EXISTS groundswell_api, groundswell_worker, groundswell_migrator;
    CREATE ROLE plain LOGIN PASSWORD 'plain'`);
  await admin.query('CREATE DATABASE owned OWNER plain');
  const owned = new URL(url);
  owned.pathname = '/owned';
  owned.username = 'plain';
  owned.password = 'plain';
  url = owned.href;
  await migrate({ url, migrationsDir: findMigrationsDir() });
  const roles = ['groundswell_api', 'groundswell_worker', 'groundswell_migrator'];
  expect(await grantRights(url)).toEqual(roles);
  const ownerOf = "SELECT tableowner::text AS owner FROM pg_tables WHERE tablename = 'items'";
  expect(await query(ownerOf)).toEqual([{ owner: 'plain' }]);

  // As the first user of a managed Postgres: no superuser, but may make roles.
  await admin.query('ALTER ROLE plain CREATEROLE');
  const reader = new pg.Client({ connectionString: url });
  await reader.connect();
  try {
    await reader.query('BEGIN; SELECT FROM items');
    const granting = [1, 2, 3].map(() => grantRights(url, { lockTimeoutMs: 1_000 }));
    await waitFor('one to wait for the table, the others for their turn', async () => {
      const [waiting] = await query(`SELECT count(*) FILTER (WHERE relation = 'items'::regclass)::int AS for_the_table,
        count(*) FILTER (WHERE locktype = 'advisory')::int AS for_their_turn
        FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`);
      return JSON.stringify(waiting) === '{"for_the_table":1,"for_their_turn":2}';
    });
    // Queues up behind it, and gets through all the same.
    await query('SELECT FROM items');
    await reader.query('COMMIT');
    expect(await Promise.all(granting)).toEqual([[], [], []]);
  } finally {
    await reader.end();
  }
  expect(await query(ownerOf)).toEqual([{ owner: 'groundswell_migrator' }]);
  expect(
    await query(`SELECT has_table_privilege('groundswell_api', 'interactions', 'SELECT') AS reads,
      has_table_privilege('groundswell_api', 'interactions', 'DELETE') AS deletes`),
  ).toEqual([{ reads: true, deletes: false }]);
  // Whoever migrated before goes on doing so.
  await query('ALTER TABLE items ADD COLUMN more text; SELECT ensure_month(now())');
});

test('the migrations of this package apply to an empty database', async () => {
  const own = { url, migrationsDir: findMigrationsDir() };
  const pending = await pendingMigrations(own);
  expect(pending.length).toBeGreaterThan(0);
  expect(await migrate(own)).toEqual({ applied: pending });
});
