import { createClient } from '@keyv/redis';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createKeyvCache } from '../../src/adapters/keyv-cache.ts';
import { connectRedis, type RedisConnection } from '../../src/adapters/redis/redis-connection.ts';
import { createRedisPendingWrites } from '../../src/adapters/redis/redis-pending-writes.ts';
import { newInteractionId } from '../../src/interactions/interaction-id.ts';
import type { Interaction } from '../../src/interactions/interaction.ts';
import { viewerKeyOf } from '../../src/interactions/viewer-key.ts';
import { UnavailableError } from '../../src/runtime/errors.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { createMetrics } from '../../src/runtime/metrics.ts';
import { startRedis, type RedisServer } from '../servers/start-redis.ts';
import { waitFor } from '../servers/wait-for.ts';

const DEADLINE_MS = 100;
/** Far above the deadline, far below any timeout of the client or the kernel. */
const PROMPT_MS = 1_000;

let server: RedisServer;

beforeEach(async () => {
  server = await startRedis();
});
afterEach(() => server.stop());

async function connect(): Promise<RedisConnection> {
  const redis = await connectRedis({
    url: server.url,
    deadlineMs: DEADLINE_MS,
    logger: createLogger('silent', 'test'),
    metrics: createMetrics(),
  });
  onTestFinished(() => redis.close());
  return redis;
}

async function promptly<T>(work: () => Promise<T>): Promise<T> {
  const startedMs = performance.now();
  const result = await work();
  expect(performance.now() - startedMs).toBeLessThan(PROMPT_MS);
  return result;
}

const faults = [
  { fault: 'killed', inflict: (redis: RedisServer) => redis.kill(), mend: (redis: RedisServer) => redis.restart() },
  {
    fault: 'frozen',
    inflict: async (redis: RedisServer) => redis.pause(),
    mend: async (redis: RedisServer) => redis.resume(),
  },
];

describe.each(faults)('Redis $fault', ({ inflict, mend }) => {
  it('a get is a prompt miss, a set and a delete are given up, and all of it works again by itself', async () => {
    const redis = await connect();
    const cache = createKeyvCache(redis);
    await inflict(server);
    for (let round = 0; round < 10; round += 1) {
      expect(await promptly(() => cache.get(`unknown ${round}`))).toBeUndefined();
      await promptly(() => cache.set('key', 'text', 1));
      await promptly(() => cache.delete('key'));
    }
    expect(await promptly(() => redis.check())).not.toBeNull();
    await mend(server);
    await waitFor('Redis to be used again', async () => (await redis.check()) === null);
    await cache.set('after', 'text', 60_000);
    expect(await createKeyvCache(redis).get('after')).toBe('text');
  });

  it('what this process read or wrote lasts for its own time to live', async () => {
    const cache = createKeyvCache(await connect());
    await cache.set('long', 'text', 60_000);
    await cache.set('short', 'text', 200);
    await inflict(server);
    await waitFor('the short entry to expire', async () => (await cache.get('short')) === undefined, { everyMs: 10 });
    expect(await promptly(() => cache.get('long'))).toBe('text');
    await mend(server);
  });

  it('pending writes are empty and prompt, and only an erasure says that it failed', async () => {
    const pending = createRedisPendingWrites(await connect());
    const interaction = anInteraction();
    await inflict(server);
    await promptly(() => pending.add([interaction]));
    expect(await promptly(() => pending.ofViewer(interaction.viewer))).toEqual([]);
    expect(await promptly(() => pending.find(interaction.id))).toBeNull();
    await promptly(() => pending.remove([interaction]));
    await expect(promptly(() => pending.erase(interaction.viewer))).rejects.toThrow(UnavailableError);
    await mend(server);
    await waitFor('pending writes to work again', async () => {
      await pending.add([interaction]);
      return (await pending.find(interaction.id)) !== null;
    });
  });
});

it('Redis away at the start: the start is not held up, the first get is a miss, and it is used once it comes', async () => {
  await server.kill();
  const redis = await promptly(connect);
  const cache = createKeyvCache(redis);
  expect(await promptly(() => cache.get('key'))).toBeUndefined();
  await server.restart();
  await waitFor('Redis to be used', async () => (await redis.check()) === null);
});

it('Redis frozen at the start: the start goes on within two seconds, and Redis is used once it thaws', async () => {
  server.pause();
  const startedMs = performance.now();
  const redis = await connect();
  expect(performance.now() - startedMs).toBeLessThan(2_000);
  expect(await promptly(() => createKeyvCache(redis).get('key'))).toBeUndefined();
  server.resume();
  await waitFor('Redis to be used', async () => (await redis.check()) === null);
});

it('a connection that stays silent for over five seconds is replaced', { timeout: 30_000 }, async () => {
  const redis = await connect();
  let clients = 0;
  redis.onClient(() => (clients += 1));
  server.pause();
  await waitFor('a new connection', async () => {
    await redis.check();
    return clients > 1;
  });
  server.resume();
  await waitFor('Redis to be used again', async () => (await redis.check()) === null);
});

it.each([
  ['not ours', 'garbage'],
  ['cut short', '9999999999999:100:{"a":'],
  ['a wrong time', 'soon:2:{}'],
])('an entry that is %s is a miss', async (_, stored) => {
  const cache = createKeyvCache(await connect());
  const other = await plainClient();
  await other.set('groundswell::key', stored);
  expect(await cache.get('key')).toBeUndefined();
});

it('a key that holds another type of value is a miss, and can be written again', async () => {
  const cache = createKeyvCache(await connect());
  const other = await plainClient();
  await other.hSet('groundswell::key', 'a', 'b');
  expect(await cache.get('key')).toBeUndefined();
  await cache.set('key', 'text', 60_000);
  expect(await other.get('groundswell::key')).toContain('text');
});

it('a reader whose clock is ahead of the writer still finds the entry', async () => {
  const cache = createKeyvCache(await connect());
  const other = await plainClient();
  await other.set('groundswell::key', `${Date.now() - 5_000}:4:text`, { PX: 60_000 });
  expect(await cache.get('key')).toBe('text');
  expect(await other.exists('groundswell::key')).toBe(1);
});

it('pending writes are gone after an hour', async () => {
  const pending = createRedisPendingWrites(await connect());
  const other = await plainClient();
  await pending.add([anInteraction()]);
  const keys = await other.keys('*');
  expect(keys).toHaveLength(2);
  for (const key of keys) expect(await other.ttl(key)).toBeGreaterThan(3_500);
});

async function plainClient() {
  const client = createClient({ url: server.url });
  client.on('error', () => undefined);
  onTestFinished(() => client.destroy());
  await client.connect();
  return client;
}

function anInteraction(): Interaction {
  return {
    id: newInteractionId(),
    itemId: 'book-1',
    viewer: viewerKeyOf({ userId: 'somebody' }),
    type: 'SAVE',
    retraction: false,
    metadata: null,
    acceptedAtMs: Date.now(),
  };
}
