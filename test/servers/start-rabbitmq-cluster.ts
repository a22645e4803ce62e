import { randomBytes } from 'node:crypto';
import { createEpmd } from './create-rabbitmq-node.ts';
import { freePort } from './free-port.ts';
import { startRabbitmq, type RabbitmqServer } from './start-rabbitmq.ts';
import { testDirectory } from './test-run.ts';

export interface RabbitmqCluster {
  readonly nodes: readonly RabbitmqServer[];
  /** Of all nodes, as AMQP_URL takes them. */
  readonly amqpUrl: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Nodes on loopback that joined the first one. */
export async function startRabbitmqCluster(options: {
  readonly size: number;
  readonly plugins?: readonly string[];
}): Promise<RabbitmqCluster> {
  const { size, plugins = [] } = options;
  const epmdPort = await freePort();
  const epmd = createEpmd(testDirectory('epmd'), epmdPort);
  await epmd.start();
  const cluster = { epmdPort, cookie: randomBytes(12).toString('hex') };
  const nodes: RabbitmqServer[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()));
    await epmd.stop();
  };
  try {
    const first = await startRabbitmq({ plugins, cluster });
    nodes.push(first);
    const config = [
      'cluster_formation.peer_discovery_backend = classic_config',
      `cluster_formation.classic_config.nodes.1 = ${first.node}`,
    ].join('\n');
    const joining = Array.from({ length: size - 1 }, () => startRabbitmq({ plugins, cluster, config }));
    const outcomes = await Promise.allSettled(joining);
    for (const outcome of outcomes) if (outcome.status === 'fulfilled') nodes.push(outcome.value);
    // Those that came up are known now, and end with the others when one did not.
    await Promise.all(joining);
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes, amqpUrl: nodes.map(({ url }) => url).join(','), [Symbol.asyncDispose]: stop };
}
