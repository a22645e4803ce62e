import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { requireProgram } from '../../test/servers/programs.ts';
import { query } from '../../test/servers/query.ts';
import { testDirectory } from '../../test/servers/test-run.ts';
import { give, unprivilegedUser } from '../../test/servers/unprivileged-user.ts';
import { startMember, type Placement, type StartedMember } from './member.ts';
import { change, copySettings } from './settings.ts';
import { databaseUrl } from './start-postgres.ts';

export const PGBOUNCER_PORT = 6432;

export function startPgbouncer(node: Placement): Promise<StartedMember> {
  const { name, address, hosts, secrets } = node;
  const user = unprivilegedUser();
  const directory = testDirectory(name);
  copySettings('pgbouncer', directory, hosts);
  cpSync(join(secrets.directory, 'userlist.txt'), join(directory, 'userlist.txt'));
  change(join(directory, 'host/listen.ini'), { 'listen_addr = *': `listen_addr = ${address}` });
  for (const file of ['', ...readdirSync(directory)]) give(join(directory, file), user);
  return startMember({
    name,
    address,
    directory,
    command: requireProgram('pgbouncer'),
    arguments: ['pgbouncer.ini'],
    user,
    isReady: async () => (await query(databaseUrl(node, PGBOUNCER_PORT), 'select 1')).length === 1,
    // SIGINT waits for queries under way; SIGTERM does not.
    restartSignal: 'SIGINT',
  });
}

/** To look at: `show pools` and the like. */
export function consoleUrl({ address, secrets }: Pick<Placement, 'address' | 'secrets'>): string {
  return `postgres://monitor:${secrets.MONITOR_PASSWORD}@${address}:${PGBOUNCER_PORT}/pgbouncer`;
}
