import type { Metrics } from '../runtime/metrics.ts';
import type { DeliverySource, InteractionQueue } from './queue.ts';

/** Counts and times what goes into `queue`, under its name. */
export function measureQueue(
  name: DeliverySource['name'],
  queue: InteractionQueue,
  metrics: Pick<Metrics, 'published' | 'publishFailures' | 'publishDuration' | 'publishInFlight'>,
): InteractionQueue {
  const published = metrics.published.labels(name);
  const failures = metrics.publishFailures.labels(name);
  let inFlight = 0;
  metrics.publishInFlight.read({ queue: name }, () => inFlight);
  // There as 0 from the start: they tell which queues are configured.
  published.inc(0);
  failures.inc(0);
  return {
    async publish(bodies, options) {
      const startedAtMs = performance.now();
      inFlight += bodies.length;
      try {
        await queue.publish(bodies, options);
      } catch (error) {
        failures.inc();
        throw error;
      } finally {
        inFlight -= bodies.length;
      }
      published.inc(bodies.length);
      metrics.publishDuration.observe((performance.now() - startedAtMs) / 1_000);
    },
  };
}
