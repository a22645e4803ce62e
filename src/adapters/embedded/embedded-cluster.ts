import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { firstClosedFolder, type PostgresBinaries } from './embedded-binaries.ts';
import { EmbeddedPostgresError, errorCode } from './embedded-error.ts';
import type { PostgresUser } from './embedded-user.ts';

export const SUPERUSER = 'groundswell';
const MAJOR = '18';
const PASSWORD_FILE = 'groundswell.password';

/** A Postgres data directory, in the folder that is ours, and the password of its superuser. */
export interface Cluster {
  readonly dataDir: string;
  readonly dir: string;
  readonly password: string;
}

/** Opens the cluster under `dataDir`, made when there is none. Two processes may do so at once: one of theirs stays. */
export async function openCluster(
  dataDir: string,
  binaries: PostgresBinaries,
  user: PostgresUser | null,
): Promise<Cluster> {
  try {
    await mkdir(dataDir, { recursive: true, mode: user === null ? 0o700 : 0o711 });
    const folder = await realpath(dataDir);
    const dir = join(folder, 'postgres');
    if (user !== null) await letThrough(folder);
    if (!(await exists(dir))) await initialise(dir, binaries, user);
    const version = (await readFile(join(dir, 'PG_VERSION'), 'utf8')).trim();
    if (version !== MAJOR) {
      throw new EmbeddedPostgresError('DATA_DIR_UNUSABLE', `${dir} was made by Postgres ${version}, not ${MAJOR}`);
    }
    return await readCluster(folder);
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) throw error;
    const why = errorCode(error) === 'EACCES' ? 'it belongs to another user' : String(error);
    throw new EmbeddedPostgresError('DATA_DIR_UNUSABLE', `cannot use the data folder ${dataDir}: ${why}`, error);
  }
}

export async function readCluster(dataDir: string): Promise<Cluster> {
  const dir = join(dataDir, 'postgres');
  return { dataDir, dir, password: (await readFile(join(dir, PASSWORD_FILE), 'utf8')).trim() };
}

/** What root keeps for itself in the folder stays private by its own mode; Postgres needs to get through to its part. */
async function letThrough(dataDir: string): Promise<void> {
  const closed = await firstClosedFolder(dirname(dataDir));
  if (closed !== null) {
    throw new EmbeddedPostgresError(
      'DATA_DIR_UNUSABLE',
      `started by root, Postgres runs as another user, who cannot reach ${dataDir} through ${closed}: ` +
        'leave DATA_DIR out, or name a folder that is not below a private one',
    );
  }
  const { mode } = await stat(dataDir);
  if ((mode & 0o001) === 0) await chmod(dataDir, (mode & 0o777) | 0o011);
}

async function initialise(dir: string, binaries: PostgresBinaries, user: PostgresUser | null): Promise<void> {
  const work = `${dir}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const passwordFile = `${work}.password`;
  try {
    await mkdir(work, { mode: 0o700 });
    await writeFile(passwordFile, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
    if (user !== null) await Promise.all([chown(work, user.uid, user.gid), chown(passwordFile, user.uid, user.gid)]);
    await runInitdb(work, passwordFile, binaries, user);
    await rename(passwordFile, join(work, PASSWORD_FILE));
    await rename(work, dir);
    syncLater(dir, binaries, user);
  } catch (error) {
    if (!(await exists(join(dir, 'PG_VERSION')))) throw error;
  } finally {
    await rm(passwordFile, { force: true });
    await rm(work, { recursive: true, force: true });
  }
}

async function runInitdb(
  dir: string,
  passwordFile: string,
  binaries: PostgresBinaries,
  user: PostgresUser | null,
): Promise<void> {
  const args = [
    `--pgdata=${dir}`,
    `--username=${SUPERUSER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // The same order and case rules on every machine, whatever locales it has.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--set=timezone=UTC',
    '--set=log_timezone=UTC',
    '--no-sync',
    '--no-instructions',
  ];
  try {
    await promisify(execFile)(binaries.initdb, args, { ...user, cwd: dir, env: { LC_ALL: 'C', TZ: 'UTC' } });
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    throw new EmbeddedPostgresError('EMBEDDED_POSTGRES_FAILED', `initdb failed: ${said}`, error);
  }
}

/** Half of initdb's two seconds is waiting for the disk, which can go on while the server starts. */
function syncLater(dir: string, binaries: PostgresBinaries, user: PostgresUser | null): void {
  const args = ['--sync-only', `--pgdata=${dir}`];
  const child = spawn(binaries.initdb, args, { ...user, cwd: dir, env: {}, stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => {
      if (errorCode(error) === 'ENOENT') return false;
      throw error;
    },
  );
}
