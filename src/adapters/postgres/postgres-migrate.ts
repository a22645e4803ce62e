import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import type { MigrationList } from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';
import { z } from 'zod';
import { messageOf } from '../../runtime/errors.ts';
import { packageRoot } from '../../runtime/package-root.ts';
import { inLockTurns, type LockTurns } from './postgres-lock-turns.ts';
import { loadSchemaEngine } from './postgres-schema-engine.ts';
import { readSchemaVersion, type SchemaVersion } from './postgres-schema-version.ts';
import { wholeScripts, type ScriptFault, type ScriptState } from './postgres-whole-scripts.ts';

export interface MigrateOptions extends LockTurns {
  /** Past PgBouncer: migrations hold a session lock. */
  readonly url: string;
  readonly migrationsDir: string;
}

/** A migration did not apply. The message names it and says what Postgres said; it holds no URL. */
export class MigrationError extends Error {
  readonly code = 'MIGRATION_FAILED';

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'MigrationError';
  }
}

/**
 * Applies what is pending, in order, and resolves to the names. Fills `_prisma_migrations` just as `prisma migrate deploy`
 * does, but needs no engine to be downloaded. Several processes may do so at once. Throws MigrationError.
 */
export async function migrate(options: MigrateOptions): Promise<{ applied: string[] }> {
  const { url, migrationsDir } = options;
  if ((await pendingMigrations({ url, migrationsDir })).length === 0) return { applied: [] };
  // One session: it holds the lock.
  const pool = new pg.Pool({ connectionString: url, max: 1, idleTimeoutMillis: 0, connectionTimeoutMillis: 10_000 });
  pool.on('error', () => undefined);
  const script: ScriptState = { fault: null };
  try {
    let applied: string[] | undefined;
    const work = async (): Promise<{ applied: string[] }> => {
      script.fault = null;
      applied ??= await pendingMigrations({ url, migrationsDir });
      await applyAll(pool, migrationsDir, script);
      return { applied };
    };
    return await inLockTurns(pool, work, () => script.fault?.code, options);
  } catch (error) {
    throw toMigrationError(error, script.fault);
  } finally {
    await pool.end();
  }
}

async function applyAll(pool: pg.Pool, migrationsDir: string, script: ScriptState): Promise<void> {
  const { SchemaEngine } = await loadSchemaEngine();
  const migrationsList = await readMigrations(migrationsDir);
  await forgetUnfinished(pool);
  const factory = bindMigrationAwareSqlAdapterFactory(wholeScripts(new PrismaPg(pool), script));
  const engine = await SchemaEngine.new({ datamodels: undefined }, () => undefined, factory);
  const filters = { externalTables: [], externalEnums: [] };
  await engine.applyMigrations({ migrationsList, filters });
}

/**
 * A script and the mark that it is finished are one transaction, so what failed or was cut off left nothing but its row here, which
 * would refuse every later attempt. Under the lock nobody else is at work on one.
 */
async function forgetUnfinished(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query(`SELECT to_regclass('_prisma_migrations') IS NOT NULL AS there`);
  if (!isThere(rows)) return;
  await pool.query(
    'UPDATE _prisma_migrations SET rolled_back_at = now() WHERE finished_at IS NULL AND rolled_back_at IS NULL',
  );
}

/** The names of the migrations in the folder that are not applied to the end, in order. */
export async function pendingMigrations({ url, migrationsDir }: MigrateOptions): Promise<string[]> {
  return [...(await schemaVersion({ url, migrationsDir })).pending];
}

/** On a connection of its own. */
export async function schemaVersion({ url, migrationsDir }: MigrateOptions): Promise<SchemaVersion> {
  const names = await migrationNames(migrationsDir);
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await readSchemaVersion(names, async (sql) => (await client.query(sql)).rows);
  } finally {
    await client.end();
  }
}

export function findMigrationsDir(): string {
  return join(packageRoot(), 'prisma', 'migrations');
}

export async function migrationNames(migrationsDir: string): Promise<string[]> {
  const entries = await readdir(migrationsDir, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

async function readMigrations(migrationsDir: string): Promise<MigrationList> {
  const names = await migrationNames(migrationsDir);
  const lockfile = await readFile(join(migrationsDir, 'migration_lock.toml'), 'utf8').catch(() => null);
  return {
    baseDir: migrationsDir,
    lockfile: { path: 'migration_lock.toml', content: lockfile },
    shadowDbInitScript: '',
    migrationDirectories: await Promise.all(
      names.map(async (name) => ({
        path: name,
        migrationFile: {
          path: 'migration.sql',
          content: {
            tag: 'ok' as const,
            value: await readFile(join(migrationsDir, name, 'migration.sql'), 'utf8').catch((error: unknown) => {
              throw new MigrationError(`migration ${name} cannot be read`, error);
            }),
          },
        },
      })),
    ),
  };
}

const thereRows = z.array(z.object({ there: z.boolean() }));

function isThere(rows: unknown): boolean {
  return thereRows.parse(rows)[0]?.there === true;
}

function toMigrationError(error: unknown, fault: ScriptFault | null): MigrationError {
  if (error instanceof MigrationError) return error;
  const message = messageOf(error);
  if (fault === null) return new MigrationError(`migrations could not be applied: ${message}`, error);
  const name = /migration_name="([^"]+)"/.exec(message)?.[1] ?? '(unknown)';
  const where = fault.line === null ? '' : `, line ${fault.line}`;
  return new MigrationError(`migration ${name}${where}: ${fault.message}`, error);
}
