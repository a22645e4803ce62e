import { afterAll, beforeAll } from 'vitest';
import { createKeyvCache } from '../../src/adapters/keyv-cache.ts';
import { createMemoryPendingWrites } from '../../src/adapters/memory-pending-writes.ts';
import { connectRedis, type RedisConnection } from '../../src/adapters/redis/redis-connection.ts';
import { createRedisPendingWrites } from '../../src/adapters/redis/redis-pending-writes.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { createMetrics } from '../../src/runtime/metrics.ts';
import type { TextCache } from '../../src/cache/cache.ts';
import type { PendingWrites } from '../../src/interactions/pending-writes.ts';
import { cacheContract } from '../contracts/cache-contract.ts';
import { pendingWritesContract } from '../contracts/pending-writes-contract.ts';
import { createTestRedis } from '../servers/create-test-redis.ts';

let redis: RedisConnection;
let redisCache: TextCache;
let redisPending: PendingWrites;

beforeAll(async () => {
  redis = await connectRedis({
    url: (await createTestRedis()).url,
    // Not what is tested here, and the machine may be busy.
    deadlineMs: 5_000,
    logger: createLogger('silent', 'test'),
    metrics: createMetrics(),
  });
  redisCache = createKeyvCache(redis);
  redisPending = createRedisPendingWrites(redis);
});

afterAll(async () => {
  await redis.close();
});

const memoryCache = createKeyvCache(null);
cacheContract('Keyv in memory', () => memoryCache);
cacheContract('Keyv over Redis', () => redisCache);

const memoryPending = createMemoryPendingWrites();
pendingWritesContract('memory', () => memoryPending);
pendingWritesContract('Redis', () => redisPending);
