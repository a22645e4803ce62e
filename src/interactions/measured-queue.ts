import type { Metrics } from '../runtime/metrics.ts';
import type { DeliverySource, InteractionQueue } from './queue.ts';

/** Counts and times what goes into `queue`, under its name. */
export function measureQueue(
  name: DeliverySource['name'],
  queue: InteractionQueue,
  metrics: Pick<Metrics, 'published' | 'publishFailures' | 'publishDuration'>,
): InteractionQueue {
  const published = metrics.published.labels(name);
  const failures = metrics.publishFailures.labels(name);
  return {
    async publish(bodies) {
      const startedAtMs = performance.now();
      try {
        await queue.publish(bodies);
      } catch (error) {
        failures.inc();
        throw error;
      }
      published.inc(bodies.length);
      metrics.publishDuration.observe((performance.now() - startedAtMs) / 1_000);
    },
  };
}
