import type { Config } from './config.ts';
import type { Logger } from './runtime/logger.ts';
import { createPrimaryGauge, createReplicaGauge } from './adapters/postgres/postgres-gauges.ts';
import { createRabbitmqGauge } from './adapters/rabbitmq/rabbitmq-gauge.ts';
import { lookAtRedis } from './adapters/redis/redis-gauge.ts';
import type { PartWatcher } from './top/part-gauges.ts';
import { openPostgres } from './wiring.ts';

/** What `npm run top` sees of the configured parts. On the embedded Postgres it attaches beside `npm start`. */
export async function watchParts(config: Config, logger: Logger): Promise<PartWatcher> {
  const postgres = await openPostgres(config, { role: 'command', logger });
  const primary = createPrimaryGauge(postgres.url);
  const replicas = config.database.replicaUrls.map((url, index) => ({
    name: `replica ${index + 1}`,
    gauge: createReplicaGauge(url),
  }));
  const { amqpUrls, name: queueName, partitions } = config.queue;
  const queue = amqpUrls.length === 0 ? null : createRabbitmqGauge(amqpUrls, { queueName, partitions });
  const { redisUrl } = config.cache;

  return {
    async look() {
      const [primaryLook, replicaLooks, queueLook, cacheLook] = await Promise.all([
        primary.look(),
        Promise.all(replicas.map(async ({ name, gauge }) => ({ name, lag: await gauge.look() }))),
        queue === null ? null : queue.look(),
        redisUrl === null ? null : lookAtRedis(redisUrl),
      ]);
      return { primary: primaryLook, replicas: replicaLooks, queue: queueLook, cache: cacheLook };
    },
    async close() {
      await Promise.all([primary.close(), ...replicas.map(({ gauge }) => gauge.close()), queue?.close()]);
      await postgres.stop();
    },
  };
}
