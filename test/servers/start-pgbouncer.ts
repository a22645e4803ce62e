import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { requireProgram } from './programs.ts';
import { query } from './query.ts';
import { createServerProcess, type ServerControls } from './server-process.ts';
import { testDirectory } from './test-run.ts';
import { give, unprivilegedUser } from './unprivileged-user.ts';

export type PgbouncerServer = ServerControls & {
  /** Of the same database as `postgres`, through the pool. */
  url: string;
  port: number;
  urlOf: (database: string) => string;
  /** PgBouncer's own console: `show pools` and the like. */
  adminUrl: string;
};

export type PgbouncerOptions = {
  /** The server behind it: a cluster's primary, or anything with a URL. Every database there can be reached. */
  postgres: { url: string };
  /** Lines for the section [pgbouncer]. */
  config?: string;
};

/** PgBouncer in transaction mode, as production has it. */
export async function startPgbouncer({ postgres, config = '' }: PgbouncerOptions): Promise<PgbouncerServer> {
  const user = unprivilegedUser();
  const directory = testDirectory('pgbouncer');
  const port = await freePort();
  const behind = new URL(postgres.url);
  const role = decodeURIComponent(behind.username);
  const urlOf = (database: string) => `postgresql://${behind.username}@127.0.0.1:${port}/${database}`;
  const url = urlOf(behind.pathname.slice(1));
  const usersFile = join(directory, 'users.txt');
  const configFile = join(directory, 'pgbouncer.ini');
  writeFileSync(usersFile, `"${role}" ""\n`);
  writeFileSync(
    configFile,
    [
      '[databases]',
      `* = host=${behind.hostname} port=${behind.port}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = trust',
      `auth_file = ${usersFile}`,
      `admin_users = ${role}`,
      'pool_mode = transaction',
      'max_client_conn = 1000',
      'default_pool_size = 20',
      config,
      '',
    ].join('\n'),
  );
  for (const path of [directory, usersFile, configFile]) give(path, user);
  const server = createServerProcess({
    name: 'pgbouncer',
    directory,
    command: requireProgram('pgbouncer'),
    arguments: [configFile],
    user,
    isReady: async () => (await query(url, 'select 1')).length === 1,
    restartSignal: 'SIGTERM',
  });
  await server.start().catch(async (error: unknown) => {
    await server.stop();
    throw error;
  });
  return { ...server, url, port, urlOf, adminUrl: urlOf('pgbouncer') };
}
