import { DeadlineError, asError } from './errors.ts';

/** For one piece of work. */
export interface Deadline {
  /** Settles as `work` does. @throws DeadlineError once it has passed, counted from the making of it; the work itself goes on */
  wait<T>(work: Promise<T>): Promise<T>;
  hasPassed(): boolean;
  /** Until it passes, ms; Infinity when it was waived. */
  leftMs(): number;
  /** From now on there is none. */
  waive(): void;
}

export function createDeadline(deadlineMs: number, what: string): Deadline {
  const startedMs = performance.now();
  let passed = false;
  let waived = false;
  let timer: NodeJS.Timeout | undefined;
  return {
    wait: (work) =>
      new Promise((resolve, reject) => {
        timer = setTimeout(() => {
          passed = true;
          reject(new DeadlineError(what, deadlineMs));
        }, deadlineMs);
        work.then(
          (value) => {
            clearTimeout(timer);
            resolve(value);
          },
          (error: unknown) => {
            clearTimeout(timer);
            reject(asError(error));
          },
        );
      }),
    hasPassed: () => passed,
    leftMs: () => (waived ? Infinity : Math.max(0, deadlineMs - (performance.now() - startedMs))),
    waive() {
      waived = true;
      clearTimeout(timer);
    },
  };
}

/**
 * Settles as `work` does, or rejects with DeadlineError after `deadlineMs`. The work itself goes on: drivers here cannot
 * be cancelled, so callers must tolerate a late effect.
 */
export function withDeadline<T>(work: Promise<T>, deadlineMs: number, what: string): Promise<T> {
  return createDeadline(deadlineMs, what).wait(work);
}
