import { startPostgres } from './start-postgres.ts';
import { startRabbitmq } from './start-rabbitmq.ts';
import { startRedis } from './start-redis.ts';

/** Where the servers are that the whole run shares. Tests of faults start their own instead. */
export type SharedServers = {
  amqpUrl: string;
  redisUrl: string;
  postgresUrl: string;
  postgresReplicaUrl: string;
};

declare module 'vitest' {
  export interface ProvidedContext {
    sharedServers: SharedServers;
  }
}

/** One RabbitMQ, one Redis, one Postgres with one replica. */
export async function startSharedServers(): Promise<{ servers: SharedServers; stop: () => Promise<void> }> {
  const starting = [
    startRabbitmq({ plugins: ['rabbitmq_consistent_hash_exchange'] }),
    startRedis(),
    startPostgres({ replicas: 1 }),
  ] as const;
  const stop = async () => {
    for (const outcome of await Promise.allSettled(starting)) {
      if (outcome.status === 'fulfilled') await outcome.value.stop();
    }
  };
  try {
    const [rabbitmq, redis, postgres] = await Promise.all(starting);
    const [replica] = postgres.replicas;
    if (!replica) throw new Error('Postgres came up without its replica');
    const servers = {
      amqpUrl: rabbitmq.url,
      redisUrl: redis.url,
      postgresUrl: postgres.url,
      postgresReplicaUrl: replica.url,
    };
    return { servers, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
