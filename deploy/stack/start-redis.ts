import { createClient } from '@keyv/redis';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { requireProgram } from '../../test/servers/programs.ts';
import { testDirectory } from '../../test/servers/test-run.ts';
import { startMember, type Placement, type StartedMember } from './member.ts';
import { passwordOf, type User } from './secrets.ts';
import { copySettings } from './settings.ts';

export function startRedis(node: Placement): Promise<StartedMember> {
  const { name, address, hosts, secrets } = node;
  const directory = testDirectory(name);
  copySettings('redis', directory, hosts);
  cpSync(join(secrets.directory, 'users.acl'), join(directory, 'users.acl'));
  return startMember({
    name,
    address,
    directory,
    command: requireProgram('redis'),
    arguments: ['redis.conf', '--bind', address],
    isReady: () => answers(redisUrl(node)),
  });
}

/** For commands unless a part is named. */
export function redisUrl(
  { address, secrets }: Pick<Placement, 'address' | 'secrets'>,
  user: User = 'groundswell',
): string {
  return `redis://${user}:${passwordOf(secrets, 'REDIS', user)}@${address}:6379`;
}

async function answers(url: string): Promise<boolean> {
  const client = createClient({ url, socket: { connectTimeout: 2_000, reconnectStrategy: false } });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.ping()) === 'PONG';
  } finally {
    client.destroy();
  }
}
