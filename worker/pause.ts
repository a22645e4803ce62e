/** Resolves after `ms`, or at once when `signal` aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    // The global one: tests replace it, and not that of node:timers/promises.
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}

/** Doubles from 100 ms to 5 s, each with jitter so that workers do not come back in step. */
export function backoffMs(attempt: number): number {
  const ceiling = Math.min(5_000, 100 * 2 ** Math.min(attempt, 10));
  return ceiling / 2 + (Math.random() * ceiling) / 2;
}
