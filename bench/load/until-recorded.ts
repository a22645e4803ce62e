import { setTimeout as delay } from 'node:timers/promises';

const EVERY_MS = 250;
/** Standing still for so long, the count is taken as final. */
const STILL_MS = 5_000;
const LONGEST_MS = 900_000;

/** Waits until `wanted` are recorded, or as long as their number still grows; how many there are, and after how long. */
export async function untilRecorded(
  count: () => Promise<number>,
  wanted: number,
): Promise<{ readonly recorded: number; readonly seconds: number }> {
  const startedAt = performance.now();
  let [recorded, grewAt] = [-1, startedAt];
  for (;;) {
    const now = await count();
    const at = performance.now();
    if (now > recorded) [recorded, grewAt] = [now, at];
    const isOver = at - startedAt > LONGEST_MS || at - grewAt > STILL_MS;
    if (recorded >= wanted || isOver) return { recorded, seconds: (grewAt - startedAt) / 1_000 };
    await delay(EVERY_MS);
  }
}
