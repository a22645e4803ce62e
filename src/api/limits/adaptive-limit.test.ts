import { assert, constant, integer, array, double, oneof, property, record } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAdaptiveLimit, type AdaptiveLimit } from './adaptive-limit.ts';

const WINDOWS_PER_SECOND = 10;
const MIN = 50;
const MAX = 1_000;

interface SimulatedServer {
  /** Requests a second at most. */
  readonly capacity: number;
  /** What a request takes when nobody else is there. */
  readonly baseMs: number;
}

/** A server that `clients` ask without a pause, by Little's law, for so many windows; what it answers in the last of them. */
function serve(limit: AdaptiveLimit, { capacity, baseMs }: SimulatedServer, clients: number, windows: number) {
  let latencyMs = baseMs;
  let answered = 0;
  for (let window = 0; window < windows; window += 1) {
    const inFlight = Math.min(clients, limit.limit());
    latencyMs = Math.max(baseMs, (inFlight / capacity) * 1_000);
    answered = (inFlight / latencyMs) * 1_000;
    limit.update({ medianMs: latencyMs, peakInFlight: inFlight });
  }
  return { latencyMs, answered };
}

/** Nothing comes back while everything that may is at work. */
function freeze(limit: AdaptiveLimit, windows: number): void {
  for (let window = 0; window < windows; window += 1) limit.update({ medianMs: null, peakInFlight: limit.limit() });
}

describe('the adaptive limit, at a simulated server', () => {
  it.each([
    { capacity: 500, baseMs: 5 },
    { capacity: 3_000, baseMs: 2 },
    { capacity: 3_000, baseMs: 40 },
    { capacity: 6_000, baseMs: 1 },
  ])('keeps all of its throughput and bounds the wait, with five times the clients it can serve: %j', (server) => {
    const limit = createAdaptiveLimit({ min: MIN, max: MAX });
    const { answered, latencyMs } = serve(limit, server, 5 * MAX, 60 * WINDOWS_PER_SECOND);
    expect(answered).toBeGreaterThan(0.99 * server.capacity);
    expect(latencyMs).toBeLessThan(300);
  });

  it('does not drift up under an overload that lasts an hour', () => {
    const limit = createAdaptiveLimit({ min: MIN, max: MAX });
    expect(serve(limit, { capacity: 1_000, baseMs: 5 }, MAX, 3_600 * WINDOWS_PER_SECOND).latencyMs).toBeLessThan(300);
  });

  it('is not lowered by few clients, however slow', () => {
    const limit = createAdaptiveLimit({ min: MIN, max: MAX });
    serve(limit, { capacity: 10, baseMs: 100 }, 100, 600);
    expect(limit.limit()).toBe(MAX);
  });

  it('falls to its least within two seconds of a server that stands still, and is back within five', () => {
    const limit = createAdaptiveLimit({ min: MIN, max: MAX });
    const server = { capacity: 3_000, baseMs: 40 };
    serve(limit, server, MAX, 100);
    freeze(limit, 2 * WINDOWS_PER_SECOND);
    expect(limit.limit()).toBe(MIN);
    expect(serve(limit, server, MAX, 5 * WINDOWS_PER_SECOND).answered).toBeGreaterThan(0.99 * server.capacity);
  });
});

describe('the adaptive limit, whatever it sees,', () => {
  const windows = array(
    record({
      medianMs: oneof(constant(null), double({ min: 0, max: 60_000, noNaN: true })),
      peakInFlight: integer({ min: 0, max: 2 * MAX }),
    }),
    { maxLength: 200 },
  );

  it('stays within its bounds, moves only when half of it is used, and never grows while all is slow', () => {
    assert(
      property(windows, (seen) => {
        const limit = createAdaptiveLimit({ min: MIN, max: MAX });
        for (const window of seen) {
          const before = limit.limit();
          limit.update(window);
          const after = limit.limit();
          expect(after).toBeGreaterThanOrEqual(MIN);
          expect(after).toBeLessThanOrEqual(MAX);
          if (window.peakInFlight < before / 2) expect(after).toBe(before);
          if (window.medianMs === null || window.medianMs > 250) expect(after).toBeLessThanOrEqual(before);
          // A cut of a quarter at most.
          expect(after).toBeGreaterThanOrEqual(Math.floor(before * 0.75) - 1);
        }
      }),
    );
  });

  it('never falls when requests are quick', () => {
    assert(
      property(array(double({ min: 0, max: 100, noNaN: true }), { maxLength: 200 }), (latencies) => {
        const limit = createAdaptiveLimit({ min: MIN, max: MAX });
        freeze(limit, 5);
        for (const medianMs of latencies) {
          const before = limit.limit();
          limit.update({ medianMs, peakInFlight: before });
          expect(limit.limit()).toBeGreaterThanOrEqual(before);
        }
      }),
    );
  });
});
