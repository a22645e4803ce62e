import { join } from 'node:path';
import { CONFIG_VARIABLES } from '../../src/config-variables.ts';
import { testDirectory } from '../../test/servers/test-run.ts';
import { isOk, startMember, type StartedMember } from './member.ts';

export const API_PORT = 4000;
export const API_METRICS_PORT = 9464;
export const WORKER_METRICS_PORT = 9465;

export interface ProcessOptions {
  readonly name: string;
  readonly address: string;
  readonly entry: 'api' | 'worker';
  readonly release: string;
  readonly env: Readonly<Record<string, string>>;
}

/** An API or a worker from the compiled package, as in production. Resolves once it is ready. */
export function startProcess({ name, address, entry, release, env }: ProcessOptions): Promise<StartedMember> {
  const ready = entry === 'api' ? API_PORT : WORKER_METRICS_PORT;
  return startMember({
    name,
    address,
    directory: testDirectory(name),
    command: process.execPath,
    arguments: [join(release, 'scripts/launch.mjs'), entry],
    env: { ...NOTHING_SET, ...env, HOST: address },
    isReady: () => isOk(`http://${address}:${ready}/health/ready`),
    stopSignal: 'SIGTERM',
  });
}

/** Whatever this shell has set is not the stack's. */
const NOTHING_SET = Object.fromEntries(CONFIG_VARIABLES.map(({ name }) => [name, '']));
