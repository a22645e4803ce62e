import { PublicError } from '../runtime/errors.ts';

export interface SumSlots {
  /** Runs `work` once a slot is free. @throws PublicError SERVICE_BUSY when none became free in time */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** Bounds what sums rollups at once: each costs as much as is active. */
export function createSumSlots(options: {
  readonly slots: number;
  readonly maxWaitMs: number;
  readonly onRefused?: () => void;
}): SumSlots {
  const waiting: (() => void)[] = [];
  let free = options.slots;

  function take(): Promise<void> {
    if (free > 0) {
      free -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(onFree), 1);
        options.onRefused?.();
        reject(
          new PublicError('SERVICE_BUSY', 'Too many such questions at once. Try again.', { retryAfterSeconds: 1 }),
        );
      }, options.maxWaitMs);
      const onFree = (): void => {
        clearTimeout(timer);
        resolve();
      };
      waiting.push(onFree);
    });
  }

  return {
    async run(work) {
      await take();
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next === undefined) free += 1;
        else next();
      }
    },
  };
}
