import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { createClient } from '@keyv/redis';
import { messageOf } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { createGuard } from '../guarded-call.ts';

const CONNECT_TIMEOUT_MS = 2_000;
const FIRST_CONNECT_MS = 1_000;
const RECONNECT_MS = 500;
const PROBE_INTERVAL_MS = 250;
const FAILURES_TO_OPEN = 5;
/** A connection that has not answered for so long is thrown away: its peer may be gone without a word. */
const REPLACE_AFTER_MS = 5_000;

export type RedisClient = ReturnType<typeof newClient>;

export interface RedisConnection {
  /** Within the deadline, or at once when Redis is known to be away. @throws Error */
  run<T>(work: (client: RedisClient) => Promise<T>, deadlineMs?: number): Promise<T>;
  /** Never rejects: null when Redis answers. */
  check(): Promise<string | null>;
  /** The client in use changes when a dead connection is replaced. */
  onClient(use: (client: RedisClient) => void): void;
  close(): Promise<void>;
}

export interface RedisOptions {
  readonly url: string;
  readonly deadlineMs: number;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Waits a second at most for Redis to be there, then goes on without it; it is connected to, again and again, in the background. */
export async function connectRedis({ url, deadlineMs, logger, metrics }: RedisOptions): Promise<RedisConnection> {
  let client = newClient(url);
  let usedSinceMs = performance.now();
  /** Of the connection. What a call fails by says only that there is none. */
  let lastFault: string | null = null;
  const users: ((client: RedisClient) => void)[] = [];

  function open(next: RedisClient): void {
    client = next;
    usedSinceMs = performance.now();
    // Without a listener an error event would end the process; the guard sees the failing calls.
    client.on('error', (error: unknown) => (lastFault = messageOf(error)));
    client.connect().catch(() => undefined);
    for (const use of users) use(client);
  }
  /** Keyv's store would connect a client by itself that is not open yet, and destroy it when that fails. */
  function connected(): RedisClient {
    if (!client.isReady) throw new Error(lastFault === null ? 'not connected' : `not connected: ${lastFault}`);
    return client;
  }
  function replaceDeadClient(): void {
    if (performance.now() - usedSinceMs < REPLACE_AFTER_MS) return;
    const dead = client;
    open(newClient(url));
    dead.destroy();
  }
  open(client);
  await Promise.race([once(client, 'ready'), wait(FIRST_CONNECT_MS, undefined, { ref: false })]).catch(() => undefined);

  const guard = createGuard({
    name: 'Redis',
    deadlineMs,
    failuresToOpen: FAILURES_TO_OPEN,
    probeIntervalMs: PROBE_INTERVAL_MS,
    async probe() {
      replaceDeadClient();
      await connected().ping();
    },
    onChange(fault) {
      if (fault === null) logger.info('Redis is back');
      else {
        usedSinceMs = performance.now();
        logger.warn({ fault }, 'Redis is away: going on without it');
      }
    },
  });

  return {
    async run(work, ownDeadlineMs) {
      try {
        return await guard.run(async () => work(connected()), ownDeadlineMs);
      } catch (error) {
        metrics.cacheErrors.inc();
        throw error;
      }
    },
    async check() {
      try {
        await guard.run(async () => connected().ping());
        return null;
      } catch (error) {
        return guard.fault() ?? messageOf(error);
      }
    },
    onClient(use) {
      users.push(use);
      use(client);
    },
    async close() {
      guard.close();
      client.destroy();
    },
  };
}

function newClient(url: string) {
  return createClient({
    url,
    // A miss at once is better than a request that waits for a reconnection.
    disableOfflineQueue: true,
    socket: { connectTimeout: CONNECT_TIMEOUT_MS, reconnectStrategy: () => RECONNECT_MS },
  });
}
