import { setTimeout as delay } from 'node:timers/promises';

/** Polls until `condition` answers true. A throw counts as "not yet"; past the deadline it becomes the cause. */
export async function waitFor(
  what: string,
  condition: () => boolean | Promise<boolean>,
  { deadlineMs = 30_000, everyMs = 50 }: { deadlineMs?: number; everyMs?: number } = {},
): Promise<void> {
  const until = Date.now() + deadlineMs;
  let lastError: unknown;
  while (Date.now() < until) {
    try {
      if (await condition()) return;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    await delay(everyMs);
  }
  throw new Error(`waited ${deadlineMs} ms in vain: ${what}`, { cause: lastError });
}
