import { createClient } from '@keyv/redis';
import { freePort } from './free-port.ts';
import { requireProgram } from './programs.ts';
import { createServerProcess, type ServerControls } from './server-process.ts';
import { testDirectory } from './test-run.ts';

export type RedisServer = ServerControls & { url: string; port: number };

/** How many numbered databases it has: test files take one each (`createTestRedis`). */
export const REDIS_DATABASES = 512;

/** A Redis that keeps nothing: a `restart` comes back empty. */
export async function startRedis({
  arguments: more = [],
}: { arguments?: readonly string[] } = {}): Promise<RedisServer> {
  const directory = testDirectory('redis');
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const settings = {
    port: String(port),
    bind: '127.0.0.1',
    dir: directory,
    save: '',
    appendonly: 'no',
    databases: String(REDIS_DATABASES),
  };
  const server = createServerProcess({
    name: 'redis',
    directory,
    command: requireProgram('redis'),
    arguments: [...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]), ...more],
    isReady: () => answers(url),
  });
  await server.start().catch(async (error: unknown) => {
    await server.stop();
    throw error;
  });
  return { ...server, url, port };
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
