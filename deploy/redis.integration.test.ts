import { randomBytes } from 'node:crypto';
import { createClient } from '@keyv/redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKeyvCache } from '../src/adapters/keyv-cache.ts';
import { examineRedis } from '../src/adapters/redis/redis-doctor.ts';
import { connectRedis, type RedisConnection } from '../src/adapters/redis/redis-connection.ts';
import { createRedisPendingWrites } from '../src/adapters/redis/redis-pending-writes.ts';
import type { TextCache } from '../src/cache/cache.ts';
import { newInteractionId } from '../src/interactions/interaction-id.ts';
import type { Interaction } from '../src/interactions/interaction.ts';
import type { PendingWrites } from '../src/interactions/pending-writes.ts';
import { viewerKeyOf } from '../src/interactions/viewer-key.ts';
import { createLogger } from '../src/runtime/logger.ts';
import { createMetrics } from '../src/runtime/metrics.ts';
import { cacheContract } from '../test/contracts/cache-contract.ts';
import { pendingWritesContract } from '../test/contracts/pending-writes-contract.ts';
import { claimAddresses, type Addresses } from './stack/addresses.ts';
import type { Placement, StartedMember } from './stack/member.ts';
import { newSecrets, type User } from './stack/secrets.ts';
import { redisUrl, startRedis } from './stack/start-redis.ts';

/** With the files of deploy/redis, as the users in it. */
let addresses: Addresses;
let node: Placement;
let server: StartedMember;
const connections: RedisConnection[] = [];
const REFUSED = /NOPERM|can't (?:run|access)|permissions/;
let cache: TextCache;
let pending: PendingWrites;

beforeAll(async () => {
  addresses = await claimAddresses();
  const address = addresses.take();
  node = { name: 'redis', address, hosts: { redis: [address] }, secrets: newSecrets() };
  server = await startRedis(node);
  const asApi = await connectAs('api');
  cache = createKeyvCache(asApi);
  pending = createRedisPendingWrites(asApi);
});
afterAll(async () => {
  for (const connection of connections) await connection.close();
  await server?.stop();
  await addresses?.release();
});

async function connectAs(user: User): Promise<RedisConnection> {
  const connection = await connectRedis({
    url: redisUrl(node, user),
    deadlineMs: 5_000,
    logger: createLogger('silent', 'test'),
    metrics: createMetrics(),
  });
  connections.push(connection);
  return connection;
}

describe('the API', () => {
  cacheContract('by its own user of Redis', () => cache);
  pendingWritesContract('by its own user of Redis', () => pending);
});

it('a worker takes out what it recorded, and may neither read the cache nor add to it', async () => {
  const interaction: Interaction = {
    id: newInteractionId(),
    itemId: 'item-1',
    viewer: viewerKeyOf({ userId: randomBytes(8).toString('hex') }),
    type: 'LIKE',
    retraction: false,
    metadata: null,
    acceptedAtMs: Date.now(),
  };
  await pending.add([interaction]);
  expect(await pending.find(interaction.id)).toMatchObject({ itemId: 'item-1' });
  await createRedisPendingWrites(await connectAs('worker')).remove([interaction]);
  expect(await pending.find(interaction.id)).toBeNull();
  expect(await pending.ofViewer(interaction.viewer)).toEqual([]);

  for (const command of [
    ['GET', 'groundswell::x'],
    ['SET', 'groundswell:pending:x', '1'],
    ['DEL', 'groundswell::x'],
    ['EVAL', "return redis.call('SET', 'groundswell::x', '1')", '0'],
  ]) {
    await expect(runAs('worker', command)).rejects.toThrow(REFUSED);
  }
});

it.each(['api', 'worker', 'groundswell'] as const)(
  '%s may look at no key but ours, and change nothing of the server',
  async (user) => {
    for (const command of [
      ['GET', 'others'],
      ['DEL', 'others'],
      ['SCAN', '0'],
      ['KEYS', '*'],
      ['FLUSHALL'],
      ['CONFIG', 'SET', 'maxmemory', '1'],
      ['ACL', 'LIST'],
      ['CLIENT', 'KILL', 'TYPE', 'normal'],
      ['PUBLISH', 'channel', 'text'],
      ['EVAL', "return redis.call('GET', 'others')", '0'],
    ]) {
      await expect(runAs(user, command)).rejects.toThrow(REFUSED);
    }
  },
);

it('the doctor is content with each of them, and says which is a worker', async () => {
  for (const user of ['api', 'groundswell'] as const) {
    expect(await examineRedis(redisUrl(node, user))).toMatchObject({
      ok: true,
      text: expect.not.stringContaining('may'),
    });
  }
  expect(await examineRedis(redisUrl(node, 'worker'))).toMatchObject({
    ok: true,
    text: expect.stringContaining('right for a worker, too little for an API'),
  });
});

async function runAs(user: User, command: readonly string[]): Promise<unknown> {
  const client = createClient({ url: redisUrl(node, user), socket: { reconnectStrategy: false } });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await client.sendCommand([...command]);
  } finally {
    client.destroy();
  }
}
