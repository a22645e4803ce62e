import { connect } from 'amqplib';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { requireProgram } from './programs.ts';
import { createServerProcess, type ServerControls } from './server-process.ts';
import { testDirectory } from './test-run.ts';
import { waitFor } from './wait-for.ts';

export type RabbitmqServer = ServerControls & {
  url: string;
  port: number;
  /**
   * Resolves once a quorum queue of the vhost `/` is sure to survive `kill`. RabbitMQ writes a new queue's name to disk
   * only some 3 s after the declaration; killed before that, it comes back with a queue that has no leader, for ever.
   */
  whenQueueIsOnDisk: (queue: string) => Promise<void>;
};

/**
 * A RabbitMQ node of its own: ports, cookie, data and epmd. epmd is started here, on its own port, because the one that
 * RabbitMQ starts by itself becomes a daemon that outlives every test.
 */
export async function startRabbitmq({ config = '' }: { config?: string } = {}): Promise<RabbitmqServer> {
  const directory = testDirectory('rabbitmq');
  const port = await freePort();
  const distributionPort = await freePort();
  const epmdPort = await freePort();
  const at = (name: string) => join(directory, name);
  const node = `groundswell-${port}@localhost`;
  const url = `amqp://guest:guest@127.0.0.1:${port}`;

  writeFileSync(at('enabled_plugins'), '[].\n');
  writeFileSync(at('rabbitmq-env.conf'), '');
  writeFileSync(
    at('rabbitmq.conf'),
    [
      `listeners.tcp.1 = 127.0.0.1:${port}`,
      'log.console = true',
      'log.file = false',
      'disk_free_limit.absolute = 16MB',
      config,
    ].join('\n'),
  );
  const env = {
    HOME: directory,
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_CONF_ENV_FILE: at('rabbitmq-env.conf'),
    RABBITMQ_NODENAME: node,
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_MNESIA_BASE: at('mnesia'),
    RABBITMQ_LOG_BASE: at('log'),
    RABBITMQ_CONFIG_FILE: at('rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: at('advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: at('enabled_plugins'),
    RABBITMQ_PID_FILE: at('pid'),
    // Idle schedulers do not spin: several brokers share few cores here.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+sbwt none +sbwtdcpu none +sbwtdio none',
  };

  const epmd = createServerProcess({
    name: 'epmd',
    directory,
    command: requireProgram('epmd'),
    arguments: ['-port', String(epmdPort), '-address', '127.0.0.1'],
    env,
    isReady: () => Promise.resolve(true),
  });
  const broker = createServerProcess({
    name: 'rabbitmq',
    directory,
    command: requireProgram('rabbitmq'),
    arguments: [],
    env,
    isReady: () => answers(url),
  });
  const whenQueueIsOnDisk = (queue: string) =>
    waitFor(`the queue ${queue} to be on disk`, () =>
      readFileSync(join(directory, 'mnesia', node, 'quorum', node, 'names.dets')).includes(`%2F_${queue}`),
    );
  const stop = async () => {
    await broker.kill();
    await epmd.stop();
  };
  try {
    await epmd.start();
    await broker.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { ...broker, url, port, whenQueueIsOnDisk, stop, [Symbol.asyncDispose]: stop };
}

async function answers(url: string): Promise<boolean> {
  const connection = await connect(url, { timeout: 5_000 });
  await connection.close();
  return true;
}
