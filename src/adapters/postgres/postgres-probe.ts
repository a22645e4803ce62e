import { setTimeout as delay } from 'node:timers/promises';
import { UnavailableError, messageOf } from '../../runtime/errors.ts';

/** A look that takes longer waits for a connection. */
const SLOW_MS = 500;
/** After so long without an answer to anybody Postgres counts as away. */
const SILENT_MS = 2_000;

/**
 * A probe's statement waits for a connection as everybody's does. While Postgres answers others, what was found last holds: a
 * process under load is not one that lost its database. Gives what is wrong, or null; never rejects.
 */
export function holdWhileAnswering(
  find: () => Promise<string | null>,
  silentMs: () => number,
): () => Promise<string | null> {
  let last: string | null = 'has not answered yet';

  async function look(): Promise<string | null> {
    try {
      last = await find();
    } catch (error) {
      if (silentMs() >= SILENT_MS || !(error instanceof UnavailableError)) last = messageOf(error);
    }
    return last;
  }

  return async () => {
    const looked = look();
    const isSlow = await Promise.race([looked.then(() => false), delay(SLOW_MS, true, { ref: false })]);
    return isSlow && silentMs() < SILENT_MS ? last : looked;
  };
}

/** For who asks once: a command that begins on a busy machine waits for the answer. Never rejects. */
export function askOnce(find: () => Promise<string | null>): () => Promise<string | null> {
  return () => find().catch(messageOf);
}
