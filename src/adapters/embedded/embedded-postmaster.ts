import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { chown, readFile, unlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { PostgresBinaries } from './embedded-binaries.ts';
import type { Cluster } from './embedded-cluster.ts';
import { EmbeddedPostgresError, errorCode } from './embedded-error.ts';
import type { PostgresUser } from './embedded-user.ts';

const POLL_MS = 10;
const START_MS = 60_000;
const FAST_STOP_MS = 20_000;

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  // Ten for each of WEB_CONCURRENCY, for the worker, and for a command.
  max_connections: '200',
  shared_buffers: '256MB',
  effective_cache_size: '1GB',
  work_mem: '16MB',
  maintenance_work_mem: '128MB',
  random_page_cost: '1.1',
  jit: 'off',
  synchronous_commit: 'on',
  // No standby reads this log.
  wal_level: 'minimal',
  max_wal_senders: '0',
  wal_compression: 'on',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
};

/** A running or starting server, as its `postmaster.pid` tells. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly ready: boolean;
}

/** The server of this cluster, null when there is none. */
export async function findPostmaster(clusterDir: string): Promise<Postmaster | null> {
  const file = join(clusterDir, 'postmaster.pid');
  const lines = await readFile(file, 'utf8').then(
    (text) => text.split('\n').map((line) => line.trim()),
    (error: unknown) => {
      if (errorCode(error) === 'ENOENT') return null;
      throw error;
    },
  );
  if (lines === null) return null;
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  if (!Number.isInteger(pid) || pid <= 0) return null;
  const holder = await whoIs(pid, clusterDir);
  // Postgres itself sees that nobody holds its lock file, but takes any live process for a server.
  if (holder === 'stranger') await unlink(file).catch(() => undefined);
  if (holder !== 'postmaster') return null;
  return { pid, port, ready: lines[7] === 'ready' && port > 0 };
}

/** Starts a server that outlives a Ctrl-C and this process. Null when another process was faster. */
export async function startPostmaster(
  { dataDir, dir: clusterDir }: Cluster,
  binaries: PostgresBinaries,
  user: PostgresUser | null,
): Promise<Postmaster | null> {
  const logFile = join(dataDir, 'postgres.log');
  const log = openSync(logFile, 'w', 0o600);
  if (user !== null) await chown(logFile, user.uid, user.gid);
  const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(binaries.postgres, ['-D', clusterDir, '-p', String(await freePort()), ...settings], {
    ...user,
    cwd: clusterDir,
    env: { LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  child.unref();
  let failure: Error | null = null;
  let ended = false;
  child.once('error', (error) => {
    failure = error;
    ended = true;
  });
  child.once('exit', () => {
    ended = true;
  });

  const deadline = performance.now() + START_MS;
  while (!ended && performance.now() < deadline) {
    const postmaster = await findPostmaster(clusterDir);
    if (postmaster !== null && postmaster.ready) return postmaster;
    await delay(POLL_MS);
  }
  if ((await findPostmaster(clusterDir)) !== null && ended) return null;
  const said = (await readFile(logFile, 'utf8').catch(() => '')).trim().split('\n').slice(-5).join('\n');
  if (/postmaster\.pid" already exists/.test(said)) return null;
  throw new EmbeddedPostgresError('EMBEDDED_POSTGRES_FAILED', `Postgres did not start: ${said}`, failure ?? undefined);
}

/** Resolves when the server is gone; its clients are disconnected, what they committed is kept. */
export async function stopPostmaster(clusterDir: string): Promise<void> {
  const postmaster = await findPostmaster(clusterDir);
  if (postmaster === null) return;
  // SIGINT is a fast shutdown, SIGQUIT one that recovers at the next start.
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    process.kill(postmaster.pid, signal);
    const deadline = performance.now() + FAST_STOP_MS;
    while (performance.now() < deadline) {
      if ((await findPostmaster(clusterDir))?.pid !== postmaster.pid) return;
      await delay(POLL_MS);
    }
  }
}

/** A pid alone may by now be another process, above all in a container, where the same few come again at each start. */
async function whoIs(pid: number, clusterDir: string): Promise<'postmaster' | 'nobody' | 'stranger'> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (errorCode(error) === 'ESRCH') return 'nobody';
  }
  if (process.platform !== 'linux') return 'postmaster';
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  // Empty: a zombie, gone as soon as its parent looks.
  if (commandLine === '') return 'nobody';
  return commandLine.split('\0').includes(clusterDir) ? 'postmaster' : 'stranger';
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no TCP port');
  return address.port;
}
