import { waitFor } from '../servers/wait-for.ts';
import { metricOf } from './metric-of.ts';
import type { Arena } from './row.ts';
import { LARGE_BYTES } from './traffic.ts';

/** Garbage is collected at least once in so much. */
const WINDOW_BYTES = 64 * 1024 * 1024;
const POURED_MS = 300_000;

/**
 * The least that heap and buffers of the API hold, in bytes, while clients pour in interactions with all the metadata that
 * they may have, after so many bytes of those: what is left when garbage has just been collected. Its resident memory
 * would not tell: of that much more comes and goes.
 */
export async function heldWhilePouring(arena: Arena, afterBytes: number): Promise<number> {
  const pouring = arena.write({ clients: 3, gapMs: 20, large: true });
  const poured = (): number => pouring.exchanges.filter(({ outcome }) => outcome === 'accepted').length * LARGE_BYTES;
  await waitFor('so much to be accepted', () => poured() >= afterBytes, { deadlineMs: POURED_MS });
  let least = Infinity;
  await waitFor(
    'garbage to have been collected',
    async () => {
      least = Math.min(least, await heldBytes(arena));
      return poured() >= afterBytes + WINDOW_BYTES;
    },
    { deadlineMs: POURED_MS },
  );
  await pouring.stop();
  return least;
}

async function heldBytes({ system }: Arena): Promise<number> {
  const { metricsUrl } = system.api;
  const heap = await metricOf(metricsUrl, 'nodejs_heap_size_used_bytes');
  return heap + (await metricOf(metricsUrl, 'nodejs_external_memory_bytes'));
}
