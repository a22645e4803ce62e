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
    publish: (bodies, span) =>
      first.publish(bodies, span).catch((error: unknown) => {
        if (!(error instanceof UnavailableError)) throw error;
        return second.publish(bodies, span);
      }),
  };
}
