import { DeadlineError } from './errors.ts';

/** For one piece of work. */
export interface Deadline {
  /** Settles as `work` does. @throws DeadlineError once it has passed, counted from here; the work itself goes on */
  wait<T>(work: Promise<T>): Promise<T>;
  hasPassed(): boolean;
  /** From now on there is none. */
  waive(): void;
}

export function createDeadline(deadlineMs: number, what: string): Deadline {
  let passed = false;
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
            reject(error instanceof Error ? error : new Error(String(error)));
          },
        );
      }),
    hasPassed: () => passed,
    waive: () => clearTimeout(timer),
  };
}

/**
 * Settles as `work` does, or rejects with DeadlineError after `deadlineMs`. The work itself goes on: drivers here cannot
 * be cancelled, so callers must tolerate a late effect.
 */
export function withDeadline<T>(work: Promise<T>, deadlineMs: number, what: string): Promise<T> {
  return createDeadline(deadlineMs, what).wait(work);
}
