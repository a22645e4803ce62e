import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { createDatabaseAt } from './create-database-at.ts';
import { freePort } from './free-port.ts';
import type { Disk } from './mount-disk.ts';
import { requireProgram } from './programs.ts';
import { query } from './query.ts';
import { createServerProcess, type ServerControls, type ServerProcess } from './server-process.ts';
import { testDirectory } from './test-run.ts';
import { give, unprivilegedUser } from './unprivileged-user.ts';
import { waitFor } from './wait-for.ts';

export type PostgresServer = ServerControls & { url: string; port: number; urlOf: (database: string) => string };

export type PostgresCluster = {
  /** Of the primary's database `postgres`. */
  url: string;
  primary: PostgresServer;
  /** Hot standbys, each streaming through a slot of its own. */
  replicas: PostgresServer[];
  createDatabase: (name?: string) => Promise<{ name: string; url: string; replicaUrls: string[] }>;
  stop: () => Promise<void>;
  [Symbol.asyncDispose]: () => Promise<void>;
};

export type PostgresOptions = {
  replicas?: number;
  /** Lines for postgresql.conf, of the primary and so of its replicas. */
  config?: string;
  /** The primary's data goes there; the disk is the caller's. */
  disk?: Disk | null;
};

const CONFIG = [
  "listen_addresses = '127.0.0.1'",
  "unix_socket_directories = ''",
  'max_connections = 300',
  'shared_buffers = 64MB',
  // In the data folder, which `stop` removes, and not in /dev/shm, where a killed server's would stay.
  'dynamic_shared_memory_type = mmap',
  'wal_level = replica',
  'max_wal_senders = 10',
  'max_replication_slots = 10',
  'min_wal_size = 32MB',
  'max_wal_size = 512MB',
  "shared_preload_libraries = 'pg_stat_statements'",
  'pg_stat_statements.track = all',
  'logging_collector = off',
];

/** A Postgres primary with its streaming replicas. Durable as in production (fsync on), trusting on loopback. */
export async function startPostgres({
  replicas = 0,
  config = '',
  disk = null,
}: PostgresOptions = {}): Promise<PostgresCluster> {
  const user = unprivilegedUser();
  const started: ServerProcess[] = [];
  const stop = async () => {
    for (const server of started.toReversed()) await server.stop();
  };

  async function startNode(
    name: string,
    fill: (data: string) => Promise<void>,
    dataParent?: string,
  ): Promise<PostgresServer> {
    const directory = testDirectory(name);
    const data = join(dataParent ?? directory, 'data');
    mkdirSync(data, { mode: 0o700 });
    give(directory, user);
    give(data, user);
    const port = await freePort();
    const urlOf = (database: string) => `postgresql://postgres@127.0.0.1:${port}/${database}`;
    const server = createServerProcess({
      name,
      directory,
      command: requireProgram('postgres'),
      arguments: ['-D', data, '-p', String(port)],
      user,
      isReady: async () => (await query(urlOf('postgres'), 'select 1')).length === 1,
      restartSignal: 'SIGINT',
      // Immediate shutdown: as quick as a kill, and leaves no shared memory behind.
      stopSignal: 'SIGQUIT',
    });
    started.push(server);
    await fill(data);
    await server.start();
    return { ...server, url: urlOf('postgres'), port, urlOf };
  }

  try {
    const primary = await startNode(
      'postgres-primary',
      async (data) => {
        await runPostgresProgram('initdb', [
          '-D',
          data,
          '-U',
          'postgres',
          '-A',
          'trust',
          '-E',
          'UTF8',
          '--locale=C',
          '--no-sync',
        ]);
        appendFileSync(join(data, 'postgresql.conf'), [...CONFIG, config, ''].join('\n'));
        // A disk that fails keeps what was synced, and nobody but initdb would sync these files.
        if (disk !== null) await runPostgresProgram('initdb', ['--sync-only', '-D', data]);
      },
      disk?.directory,
    );
    const standbys: PostgresServer[] = [];
    for (let number = 1; number <= replicas; number += 1) {
      standbys.push(
        await startNode(`postgres-replica-${number}`, (data) => {
          const asStandby = ['-R', '-X', 'stream', '-C', '-S', `replica_${number}`];
          return runPostgresProgram('pg_basebackup', [
            '-d',
            primary.url,
            '-D',
            data,
            ...asStandby,
            '-c',
            'fast',
            '--no-sync',
          ]);
        }),
      );
    }
    if (standbys.length > 0) await waitUntilStreaming(primary.url, standbys.length);
    const createDatabase = async (name = `test_${randomBytes(6).toString('hex')}`) => {
      const replicaUrls = standbys.map((standby) => standby.urlOf(name));
      await createDatabaseAt(primary.url, name, primary.urlOf(name), replicaUrls);
      return { name, url: primary.urlOf(name), replicaUrls };
    };
    return { url: primary.url, primary, replicas: standbys, createDatabase, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** One of the programs that come with the server, as the user who runs it. */
async function runPostgresProgram(program: string, args: readonly string[]): Promise<void> {
  const path = join(dirname(requireProgram('postgres')), program);
  await promisify(execFile)(path, [...args], { cwd: '/', ...unprivilegedUser() });
}

async function waitUntilStreaming(primaryUrl: string, replicas: number): Promise<void> {
  await waitFor(`${replicas} replicas to stream`, async () => {
    const streaming = await query(primaryUrl, "select from pg_stat_replication where state = 'streaming'");
    return streaming.length >= replicas;
  });
}
