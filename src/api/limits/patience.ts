import { createDeadline } from '../../runtime/deadline.ts';
import { DeadlineError, PublicError } from '../../runtime/errors.ts';

/** How long somebody waits for the answer to one request. */
export interface Patience {
  /** Before more is begun for the request. @throws PublicError or DeadlineError when nobody waits for it any more */
  check(): void;
  /** How long they still wait, ms. */
  leftMs(): number;
  /** For what takes as long as it takes: from now on only the client ends it. */
  waive(): void;
}

export interface RunningPatience extends Patience {
  /** Settles as `work` does. @throws DeadlineError after `deadlineMs`; what has begun goes on */
  wait<T>(work: Promise<T>): Promise<T>;
}

/** `client`: the connection that the answer goes to. */
export function createPatience(client: { readonly destroyed: boolean }, deadlineMs: number): RunningPatience {
  const what = 'a request';
  const { wait, hasPassed, leftMs, waive } = createDeadline(deadlineMs, what);
  return {
    check() {
      if (client.destroyed) throw new PublicError('CLIENT_GONE', 'The client has hung up.');
      if (hasPassed()) throw new DeadlineError(what, deadlineMs);
    },
    wait,
    leftMs,
    waive,
  };
}
