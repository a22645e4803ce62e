import { createClient } from '@keyv/redis';
import { inject } from 'vitest';
import { REDIS_DATABASES } from './start-redis.ts';
import './shared-servers.ts';

/**
 * The URL of an empty numbered database on the shared Redis, which no other test of this run has. Channels (PUBLISH) are
 * the whole server's: a test that counts messages on one starts its own Redis.
 */
export async function createTestRedis(): Promise<{ url: string }> {
  const { redisUrl } = inject('sharedServers');
  const client = createClient({ url: redisUrl });
  client.on('error', () => undefined);
  await client.connect();
  try {
    // Database 0 holds the counter, so the numbers handed out go from 1.
    const number = await client.incr('test-databases');
    if (number >= REDIS_DATABASES) throw new Error(`all ${REDIS_DATABASES} Redis databases of this run are taken`);
    return { url: `${redisUrl}/${number}` };
  } finally {
    client.destroy();
  }
}
