import { connect } from 'amqplib';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRabbitmqNode, type RabbitmqNodeOptions } from './create-rabbitmq-node.ts';
import { freePort } from './free-port.ts';
import type { ServerControls } from './server-process.ts';
import { testDirectory } from './test-run.ts';
import { waitFor } from './wait-for.ts';

export type RabbitmqServer = ServerControls & {
  url: string;
  port: number;
  /** Erlang's name for it. */
  node: string;
  /**
   * Resolves once a quorum queue of the vhost `/` is sure to survive `kill`. RabbitMQ writes a new queue's name to disk
   * only some 3 s after the declaration; killed before that, it comes back with a queue that has no leader, for ever.
   */
  whenQueueIsOnDisk: (queue: string) => Promise<void>;
  /** Runs `rabbitmqctl` on it; what it printed. */
  ctl: (args: readonly string[]) => Promise<string>;
};

/** A RabbitMQ node of its own, with a user `guest` on loopback. */
export async function startRabbitmq({
  config = '',
  plugins = [],
  cluster,
}: {
  config?: string;
  plugins?: readonly string[];
  cluster?: NonNullable<RabbitmqNodeOptions['cluster']>;
} = {}): Promise<RabbitmqServer> {
  const directory = testDirectory('rabbitmq');
  const port = await freePort();
  const url = `amqp://guest:guest@127.0.0.1:${port}`;
  writeFileSync(join(directory, 'enabled_plugins'), `[${plugins.join(',')}].\n`);
  writeFileSync(
    join(directory, 'rabbitmq.conf'),
    [
      `listeners.tcp.1 = 127.0.0.1:${port}`,
      'log.console = true',
      'log.file = false',
      'disk_free_limit.absolute = 16MB',
      config,
    ].join('\n'),
  );
  const broker = await createRabbitmqNode({ directory, isReady: () => answers(url), ...(cluster && { cluster }) });
  const whenQueueIsOnDisk = (queue: string) =>
    waitFor(`the queue ${queue} to be on disk`, () =>
      readFileSync(join(directory, 'mnesia', broker.node, 'quorum', broker.node, 'names.dets')).includes(
        `%2F_${queue}`,
      ),
    );
  await broker.start();
  return { ...broker, url, port, whenQueueIsOnDisk };
}

async function answers(url: string): Promise<boolean> {
  const connection = await connect(url, { timeout: 5_000 });
  await connection.close();
  return true;
}
