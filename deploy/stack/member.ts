import { connect } from 'node:net';
import {
  createServerProcess,
  type ServerControls,
  type ServerProcess,
  type ServerProcessOptions,
} from '../../test/servers/server-process.ts';
import type { Secrets } from './secrets.ts';
import type { Hosts } from './settings.ts';

/** What a member is told about itself and the others. */
export interface Placement {
  readonly name: string;
  readonly address: string;
  readonly hosts: Hosts;
  readonly secrets: Secrets;
}

/** A process of the stack, on an address of its own. */
export interface Member extends Pick<
  ServerControls,
  'kill' | 'pause' | 'resume' | 'restart' | 'terminate' | 'pids' | 'output'
> {
  /** As in deploy/compose.yaml; with a number where that has several of it. */
  readonly name: string;
  readonly address: string;
}

export interface StartedMember extends Member {
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

export async function startMember(options: ServerProcessOptions & { address: string }): Promise<StartedMember> {
  return started(options.name, options.address, createServerProcess(options));
}

export async function started(name: string, address: string, server: ServerProcess): Promise<StartedMember> {
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { ...server, name, address };
}

/** A connection, not a request. */
export function accepts(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, address);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

export async function isOk(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await response.body?.cancel();
  return response.ok;
}
