import { execFile } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { requireProgram } from '../../test/servers/programs.ts';
import { query } from '../../test/servers/query.ts';
import { testDirectory } from '../../test/servers/test-run.ts';
import { give, giveAll, unprivilegedUser } from '../../test/servers/unprivileged-user.ts';
import { waitFor } from '../../test/servers/wait-for.ts';
import { startMember, type Placement, type StartedMember } from './member.ts';
import { passwordOf, type User } from './secrets.ts';
import { copySettings } from './settings.ts';

/** What the image sets, as far as init-primary.sh and replica.sh read it. */
const SUPERUSER = 'postgres';

/** An empty primary, made as the image of Postgres makes it: initdb, a server on the socket alone, init-primary.sh. `config`: lines below those of postgresql.conf. */
export async function startPrimary(
  node: Placement,
  replicaNames: readonly string[],
  config = '',
): Promise<StartedMember> {
  const place = makePlace(node, config);
  const { data, socket, run, user, directory } = place;
  const passwordFile = join(directory, 'password');
  writeFileSync(passwordFile, node.secrets.POSTGRES_PASSWORD, { mode: 0o600 });
  give(passwordFile, user);
  const locale = ['--encoding', 'UTF8', '--locale', 'C'];
  await run('initdb', ['-D', data, '-U', SUPERUSER, '--pwfile', passwordFile, '-A', 'scram-sha-256', ...locale]);
  const onSocket = [...place.arguments, '-c', "listen_addresses=''"].join(' ');
  await run('pg_ctl', ['-D', data, '-o', onSocket, '-l', join(directory, 'init.log'), '-w', 'start']);
  try {
    await run(join(directory, 'init-primary.sh'), [], {
      POSTGRES_USER: SUPERUSER,
      PGPASSWORD: node.secrets.POSTGRES_PASSWORD,
      PGHOST: socket,
      DATABASE_PASSWORD: node.secrets.DATABASE_PASSWORD,
      API_DATABASE_PASSWORD: node.secrets.API_DATABASE_PASSWORD,
      WORKER_DATABASE_PASSWORD: node.secrets.WORKER_DATABASE_PASSWORD,
      REPLICATION_PASSWORD: node.secrets.REPLICATION_PASSWORD,
      MONITOR_PASSWORD: node.secrets.MONITOR_PASSWORD,
      REPLICA_NAMES: replicaNames.join(' '),
    });
  } finally {
    await run('pg_ctl', ['-D', data, '-m', 'fast', '-w', 'stop']);
  }
  return startServer(node, place, { command: join(place.programs, 'postgres'), env: {} });
}

/** A primary whose data folder `fill` brings, from a backup. Its superuser comes through the socket alone, by this URL. */
export async function restorePrimary(node: Placement, config: string, fill: (data: string) => void) {
  const place = makePlace(node, config);
  mkdirSync(place.data, { mode: 0o700 });
  fill(place.data);
  giveAll(place.data, place.user);
  const server = await startServer(node, place, { command: join(place.programs, 'postgres'), env: {} });
  const password = node.secrets.POSTGRES_PASSWORD;
  return { ...server, superuserUrl: `postgres://${SUPERUSER}:${password}@localhost/postgres?host=${place.socket}` };
}

/** A replica, by replica.sh: it clones the primary through its own slot, then follows it. */
export async function startReplica(node: Placement, primary: { address: string }, slot: string) {
  const place = makePlace(node);
  const replica = await startServer(node, place, {
    command: join(place.directory, 'replica.sh'),
    env: {
      PRIMARY_HOST: primary.address,
      REPLICA_NAME: slot,
      REPLICATION_PASSWORD: node.secrets.REPLICATION_PASSWORD,
    },
  });
  await waitFor(`${node.name} to stream`, async () => {
    const receivers = await query(databaseUrl(node), 'select from pg_stat_wal_receiver');
    return receivers.length === 1;
  });
  return replica;
}

/** As the owner of the database, or as one of those who may do less. */
export function databaseUrl(
  { address, secrets }: Pick<Placement, 'address' | 'secrets'>,
  port = 5432,
  user: User = 'groundswell',
): string {
  return `postgres://${user}:${passwordOf(secrets, 'DATABASE', user)}@${address}:${port}/groundswell`;
}

type Place = ReturnType<typeof makePlace>;

function makePlace({ name, address, hosts }: Placement, config = '') {
  const user = unprivilegedUser();
  const directory = testDirectory(name);
  copySettings('postgres', directory, hosts);
  appendFileSync(join(directory, 'postgresql.conf'), config);
  const [data, socket] = [join(directory, 'data'), join(directory, 'socket')];
  mkdirSync(socket);
  for (const file of ['', ...readdirSync(directory)]) give(join(directory, file), user);
  const programs = dirname(requireProgram('postgres'));
  const settings = {
    config_file: join(directory, 'postgresql.conf'),
    hba_file: join(directory, 'pg_hba.conf'),
    listen_addresses: address,
    unix_socket_directories: socket,
    // In the data folder, which `stop` removes, and not in /dev/shm, where a killed server's would stay.
    dynamic_shared_memory_type: 'mmap',
  };
  const env = { PGDATA: data, PATH: `${programs}:${process.env['PATH'] ?? ''}` };
  const run = async (program: string, args: readonly string[], more: Record<string, string> = {}) => {
    await promisify(execFile)(program.includes('/') ? program : join(programs, program), [...args], {
      cwd: directory,
      env: { ...process.env, ...env, ...more },
      ...user,
    });
  };
  const args = Object.entries(settings).flatMap(([setting, value]) => ['-c', `${setting}=${value}`]);
  return { user, directory, data, socket, programs, env, run, arguments: args };
}

function startServer(
  node: Placement,
  place: Place,
  { command, env }: { command: string; env: Record<string, string> },
): Promise<StartedMember> {
  return startMember({
    name: node.name,
    address: node.address,
    directory: place.directory,
    command,
    arguments: place.arguments,
    env: { ...place.env, ...env },
    user: place.user,
    isReady: async () => (await query(databaseUrl(node), 'select 1')).length === 1,
    restartSignal: 'SIGINT',
    // Immediate shutdown: as quick as a kill, and leaves no shared memory behind.
    stopSignal: 'SIGQUIT',
  });
}
