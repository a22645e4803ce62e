import { UnavailableError } from '../runtime/errors.ts';
import type { InteractionQueue } from './queue.ts';

/**
 * The second takes over for each publish that the first cannot make durable. The first may have kept some of it all the
 * same; then workers see those twice, and count them once.
 */
export function createFallbackQueue({
  first,
  second,
}: {
  readonly first: InteractionQueue;
  readonly second: InteractionQueue;
}): InteractionQueue {
  return {
    async publish(bodies, options = {}) {
      const startedMs = performance.now();
      try {
        await first.publish(bodies, options);
      } catch (error) {
        if (!(error instanceof UnavailableError)) throw error;
        const { withinMs = Infinity } = options;
        const leftMs = withinMs - (performance.now() - startedMs);
        if (leftMs <= 0) throw error;
        await second.publish(bodies, { ...options, withinMs: leftMs });
      }
    },
  };
}
