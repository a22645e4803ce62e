import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { requireProgram } from './programs.ts';
import { createServerProcess, type ServerProcess } from './server-process.ts';

export type RabbitmqNode = ServerProcess & {
  /** Erlang's name for it, which its data lies under. */
  node: string;
  /** Runs `rabbitmqctl` on it; what it printed. */
  ctl: (args: readonly string[]) => Promise<string>;
};

export type RabbitmqNodeOptions = {
  /** Holds rabbitmq.conf and enabled_plugins, perhaps conf.d; gets its data. */
  directory: string;
  isReady: () => Promise<boolean>;
  /** Nodes of one cluster: they find each other by one epmd, which is not started here, and trust each other by one cookie. */
  cluster?: { readonly epmdPort: number; readonly cookie: string };
};

/**
 * A RabbitMQ node, not started: ports, cookie, data and epmd of its own. epmd is started here, on its own port, because
 * the one that RabbitMQ starts by itself becomes a daemon that outlives everybody.
 */
export async function createRabbitmqNode({ directory, isReady, cluster }: RabbitmqNodeOptions): Promise<RabbitmqNode> {
  const [distributionPort, epmdPort] = [await freePort(), cluster?.epmdPort ?? (await freePort())];
  const at = (name: string) => join(directory, name);
  const node = `groundswell-${distributionPort}@localhost`;
  writeFileSync(at('rabbitmq-env.conf'), '');
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
    RABBITMQ_CONFIG_FILES: at('conf.d'),
    RABBITMQ_ADVANCED_CONFIG_FILE: at('advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: at('enabled_plugins'),
    RABBITMQ_PID_FILE: at('pid'),
    // Idle schedulers do not spin: several brokers share few cores here.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: [
      '+sbwt none +sbwtdcpu none +sbwtdio none',
      cluster === undefined ? '' : `-setcookie ${cluster.cookie}`,
    ].join(' '),
  };
  const epmd = cluster === undefined ? createEpmd(directory, epmdPort) : undefined;
  const broker = createServerProcess({
    name: 'rabbitmq',
    directory,
    command: requireProgram('rabbitmq'),
    arguments: [],
    env,
    isReady,
  });
  const stop = async () => {
    await broker.kill();
    await epmd?.stop();
  };
  const start = async () => {
    try {
      await epmd?.start();
      await broker.start();
    } catch (error) {
      await stop();
      throw error;
    }
  };
  const ctl = async (args: readonly string[]) => {
    const program = join(dirname(requireProgram('rabbitmq')), 'rabbitmqctl');
    const options = { cwd: directory, env: { ...process.env, ...env } };
    return (await promisify(execFile)(program, ['--node', node, ...args], options)).stdout;
  };
  return { ...broker, node, ctl, start, stop, [Symbol.asyncDispose]: stop };
}

/** By whose port book Erlang nodes find each other. */
export function createEpmd(directory: string, port: number): ServerProcess {
  return createServerProcess({
    name: 'epmd',
    directory,
    command: requireProgram('epmd'),
    arguments: ['-port', String(port), '-address', '127.0.0.1'],
    env: { HOME: directory },
    isReady: () => Promise.resolve(true),
  });
}
