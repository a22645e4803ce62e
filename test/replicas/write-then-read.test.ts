import { expect, test } from 'vitest';
import { writeThenRead, type WriteThenReadPhase } from './write-then-read.ts';

/** `WRITE_THEN_READ_PAIRS=10000 npm test -- test/replicas/write-then-read.test.ts` is the long version: about two minutes. */
const LONG = process.env['WRITE_THEN_READ_PAIRS'];
const PAIRS = Number(LONG ?? 90);
const LAG_MS = 10_000;

test(
  `of ${PAIRS} reads that include a write just made none is stale, and replicas that are past it answer most`,
  { timeout: 300_000 + PAIRS * 60 },
  async () => {
    const pairs = Math.floor(PAIRS / 3);
    const phases = await writeThenRead({ pairs, atOnce: Math.min(100, pairs / 2), lagMs: LAG_MS });
    const [bothLag, oneLags, caughtUp] = phases;
    const told = phases.map((phase) => JSON.stringify(phase)).join('\n');
    if (LONG !== undefined) process.stdout.write(`${told}\n`);

    expect(
      phases.map(({ stale }) => stale),
      told,
    ).toEqual([0, 0, 0]);
    // Without `includes` the same replicas are trusted, and wrong: the reads above had something to be wrong about.
    expect(bothLag?.staleWithout, told).toBeGreaterThan(0);
    expect(bothLag?.onReplicas, told).toEqual([0, 0]);
    expect(bothLag?.onPrimary, told).toBe(pairs);
    // That one has caught up says nothing of the other.
    expect(oneLags?.onReplicas[0], told).toBe(0);
    expect(shareOnReplicas(oneLags), told).toBeGreaterThan(0.5);
    expect(shareOnReplicas(caughtUp), told).toBeGreaterThan(0.5);
    for (const calls of caughtUp?.onReplicas ?? [0]) expect(calls, told).toBeGreaterThan(0);
  },
);

function shareOnReplicas(phase: WriteThenReadPhase | undefined): number {
  if (phase === undefined) return 0;
  const onReplicas = phase.onReplicas.reduce((sum, calls) => sum + calls, 0);
  return onReplicas / (onReplicas + phase.onPrimary);
}
