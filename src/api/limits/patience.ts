import { DeadlineError, PublicError } from '../../runtime/errors.ts';

/** How long somebody waits for the answer to one request. */
export interface Patience {
  /** Before more is begun for the request. @throws PublicError or DeadlineError when nobody waits for it any more */
  check(): void;
  /** For what takes as long as it takes: from now on only the client ends it. */
  waive(): void;
}

export interface RunningPatience extends Patience {
  /** Settles as `work` does. @throws DeadlineError after `deadlineMs`; what has begun goes on */
  wait<T>(work: Promise<T>): Promise<T>;
}

/** `client`: the connection that the answer goes to. */
export function createPatience(client: { readonly destroyed: boolean }, deadlineMs: number): RunningPatience {
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;
  return {
    check() {
      if (client.destroyed) throw new PublicError('CLIENT_GONE', 'The client has hung up.');
      if (isOver) throw new DeadlineError('a request', deadlineMs);
    },
    waive: () => clearTimeout(timer),
    wait: (work) =>
      new Promise((resolve, reject) => {
        timer = setTimeout(() => {
          isOver = true;
          reject(new DeadlineError('a request', deadlineMs));
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
  };
}
