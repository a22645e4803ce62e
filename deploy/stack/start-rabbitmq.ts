import { connect } from 'amqplib';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRabbitmqNode, type RabbitmqNode } from '../../test/servers/create-rabbitmq-node.ts';
import { testDirectory } from '../../test/servers/test-run.ts';
import { started, type Placement, type StartedMember } from './member.ts';
import { passwordOf, type User } from './secrets.ts';
import { copySettings } from './settings.ts';

export interface StartedBroker extends StartedMember, Pick<RabbitmqNode, 'ctl'> {}

export async function startRabbitmq(node: Placement): Promise<StartedBroker> {
  const { name, address, hosts } = node;
  const directory = testDirectory(name);
  copySettings('rabbitmq', directory, hosts);
  const definitions = join(directory, 'definitions.json');
  cpSync(join(node.secrets.directory, 'definitions.json'), definitions);
  // Read after rabbitmq.conf: where it listens, and where its files are.
  mkdirSync(join(directory, 'conf.d'));
  writeFileSync(
    join(directory, 'conf.d/90-host.conf'),
    [
      `listeners.tcp.default = ${address}:5672`,
      `prometheus.tcp.ip = ${address}`,
      `definitions.local.path = ${definitions}`,
      '',
    ].join('\n'),
  );
  const broker = await createRabbitmqNode({
    directory,
    isReady: async () => {
      const connection = await connect(amqpUrl(node), { timeout: 5_000 });
      await connection.close();
      return true;
    },
  });
  return { ...(await started(name, address, broker)), ctl: broker.ctl };
}

/** For commands unless a part is named. */
export function amqpUrl(
  { address, secrets }: Pick<Placement, 'address' | 'secrets'>,
  user: User = 'groundswell',
): string {
  return `amqp://${user}:${passwordOf(secrets, 'RABBITMQ', user)}@${address}:5672/groundswell`;
}
