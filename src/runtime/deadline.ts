import { DeadlineError } from './errors.ts';

/**
 * Settles as `work` does, or rejects with DeadlineError after `deadlineMs`. The work itself goes on: drivers here cannot
 * be cancelled, so callers must tolerate a late effect.
 */
export function withDeadline<T>(work: Promise<T>, deadlineMs: number, what: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new DeadlineError(what, deadlineMs)), deadlineMs);
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
  });
}
