import { constants } from 'node:fs';
import {
  access,
  chmod,
  copyFile,
  link,
  lstat,
  mkdir,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { EmbeddedPostgresError, errorCode } from './embedded-error.ts';
import type { PostgresUser } from './embedded-user.ts';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

const symlinksSchema = z.array(z.object({ source: z.string(), target: z.string() }));
const EXECUTABLES = ['initdb', 'postgres'];

/**
 * Postgres from the npm package, ready to run. Straight from node_modules where that works; else from a copy in a cache
 * folder, made once: the package's install script makes the links between its libraries, and npm may be told to run none;
 * and the user whom Postgres runs as under root may not be able to reach node_modules.
 */
export async function prepareBinaries(user: PostgresUser | null): Promise<PostgresBinaries> {
  const { native, id } = findPackage();
  const symlinks = symlinksSchema.parse(JSON.parse(await readText(join(native, 'pg-symlinks.json'), '[]')));
  const links = symlinks.map(({ source, target }) => ({
    at: relative('native', target),
    to: relative(dirname(target), source),
  }));
  if (await isUsable(native, links, user)) return binariesIn(native);

  const caches = user === null ? [join(homedir(), '.cache', 'groundswell'), tmpdirOfUser()] : ['/var/lib/groundswell'];
  let reason: unknown;
  for (const cache of caches) {
    const copy = join(cache, id);
    try {
      if (!(await isUsable(copy, links, user))) await copyNative(native, copy, links);
      return binariesIn(copy);
    } catch (error) {
      reason = error;
    }
  }
  throw new EmbeddedPostgresError(
    'EMBEDDED_POSTGRES_FAILED',
    `cannot put the Postgres binaries into ${caches.join(' or ')}: ${String(reason)}`,
    reason,
  );
}

/** Whether `user` may pass through every folder above and including `folder`; the first that it may not, else null. */
export async function firstClosedFolder(folder: string): Promise<string | null> {
  const parent = dirname(folder);
  const above = parent === folder ? null : await firstClosedFolder(parent);
  if (above !== null) return above;
  return ((await stat(folder)).mode & 0o001) === 0 ? folder : null;
}

function findPackage(): { native: string; id: string } {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const library = createRequire(import.meta.url).resolve('embedded-postgres');
    const root = dirname(dirname(createRequire(library).resolve(name)));
    const manifest: unknown = createRequire(import.meta.url)(join(root, 'package.json'));
    const { version } = z.object({ version: z.string() }).parse(manifest);
    return { native: join(root, 'native'), id: `postgres-${version}-${platform}-${process.arch}` };
  } catch (error) {
    throw new EmbeddedPostgresError(
      'EMBEDDED_POSTGRES_FAILED',
      `there is no embedded Postgres for this machine (${name} is not installed): set DATABASE_URL`,
      error,
    );
  }
}

async function isUsable(folder: string, links: readonly Link[], user: PostgresUser | null): Promise<boolean> {
  try {
    for (const link of links) await lstat(join(folder, link.at));
    for (const name of EXECUTABLES) {
      const file = binariesIn(folder)[name === 'initdb' ? 'initdb' : 'postgres'];
      await access(file, constants.X_OK);
      if (user !== null && ((await stat(file)).mode & 0o005) !== 0o005) return false;
    }
    return user === null || (await firstClosedFolder(join(folder, 'bin'))) === null;
  } catch {
    return false;
  }
}

interface Link {
  readonly at: string;
  readonly to: string;
}

async function copyNative(native: string, copy: string, links: readonly Link[]): Promise<void> {
  const cache = dirname(copy);
  await mkdir(cache, { recursive: true, mode: 0o755 });
  const work = `${copy}.${process.pid}`;
  try {
    await copyFolder(native, work);
    for (const name of EXECUTABLES) await chmod(join(work, 'bin', name), 0o755).catch(ignoreMissing);
    for (const { at, to } of links) await symlink(to, join(work, at)).catch(ignoreExisting);
    await rename(work, copy).catch(async (error: unknown) => {
      // Another process was first, or what is there is half of a copy.
      if (await isUsable(copy, links, null)) return;
      if (!['ENOTEMPTY', 'EEXIST'].includes(errorCode(error) ?? '')) throw error;
      await rm(copy, { recursive: true, force: true });
      await rename(work, copy);
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Hard links where it can: 60 MB are then there in a moment and take no room. */
async function copyFolder(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: 0o755 });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyFolder(source, target);
    else if (entry.isFile() && !entry.name.endsWith('.a')) {
      const shared = ((await stat(source)).mode & 0o004) !== 0;
      if (!shared) await copyFile(source, target);
      else await link(source, target).catch(() => copyFile(source, target, constants.COPYFILE_FICLONE));
      if (!shared) await chmod(target, 0o755);
    }
  }
}

function binariesIn(folder: string): PostgresBinaries {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return { initdb: join(folder, 'bin', `initdb${suffix}`), postgres: join(folder, 'bin', `postgres${suffix}`) };
}

function tmpdirOfUser(): string {
  return join(tmpdir(), `groundswell-${process.getuid?.() ?? 'cache'}`);
}

async function readText(file: string, fallback: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => fallback);
}

function ignoreMissing(error: unknown): void {
  if (errorCode(error) !== 'ENOENT') throw error;
}

function ignoreExisting(error: unknown): void {
  if (errorCode(error) !== 'EEXIST') throw error;
}
