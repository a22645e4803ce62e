import { expect, test } from 'vitest';
import { writeThenRead, type WriteThenReadPhase } from './write-then-read.ts';

/** Of each phase. `WRITE_THEN_READ_PAIRS=10000 npm test -- test/replicas/write-then-read.test.ts` is the long version. */
const LONG = process.env['WRITE_THEN_READ_PAIRS'];
const PAIRS = Number(LONG ?? 30);
const LAG_MS = 10_000;

test(
  `of ${PAIRS} reads that include a write just made none is stale, and replicas that are past it answer most`,
  { timeout: 300_000 + PAIRS * 180 },
  async () => {
    const phases = await writeThenRead({ pairs: PAIRS, atOnce: Math.min(100, PAIRS / 2), lagMs: LAG_MS });
    const [bothLag, oneLags, caughtUp] = phases;
    const told = phases.map((phase) => JSON.stringify(phase)).join('\n');
    if (LONG !== undefined) process.stdout.write(`${phases.map(measured).join('; ')}\n`);

    expect(
      phases.map(({ stale }) => stale),
      told,
    ).toEqual([0, 0, 0]);
    // Without `includes` the same replicas are trusted, and wrong: the reads above had something to be wrong about.
    expect(bothLag?.staleWithout, told).toBeGreaterThan(0);
    expect(bothLag?.onReplicas, told).toEqual([0, 0]);
    expect(bothLag?.onPrimary, told).toBe(PAIRS);
    // That one has caught up says nothing of the other.
    expect(oneLags?.onReplicas[0], told).toBe(0);
    expect(shareOnReplicas(oneLags), told).toBeGreaterThan(0.5);
    expect(shareOnReplicas(caughtUp), told).toBeGreaterThan(0.5);
    for (const calls of caughtUp?.onReplicas ?? [0]) expect(calls, told).toBeGreaterThan(0);
  },
);

/** Such as `both lag: 0 of 10000 stale, 0 % on replicas, 900 ms at most`. */
function measured(phase: WriteThenReadPhase): string {
  const { name, pairs, stale, worstMs } = phase;
  const share = Math.round(shareOnReplicas(phase) * 100);
  return `${name}: ${stale} of ${pairs} stale, ${share} % on replicas, ${Math.round(worstMs)} ms at most`;
}

function shareOnReplicas(phase: WriteThenReadPhase | undefined): number {
  if (phase === undefined) return 0;
  const onReplicas = phase.onReplicas.reduce((sum, calls) => sum + calls, 0);
  return onReplicas / (onReplicas + phase.onPrimary);
}
