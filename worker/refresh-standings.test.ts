import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../src/runtime/logger.ts';
import { createMetrics } from '../src/runtime/metrics.ts';
import { refreshStandings } from './refresh-standings.ts';

const PASS_MS = 100;

describe('refreshStandings', () => {
  beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
  afterEach(() => void vi.useRealTimers());

  /** When passes began within the first seconds, each taking 100 ms. */
  async function startsOf(state: {
    more: boolean;
    isQueueBehind: boolean;
    /** When what is being recorded was accepted, by the time of the fake clock. */
    inHandMs?: (nowMs: number) => number;
  }): Promise<number[]> {
    const stop = new AbortController();
    const startedAtMs = performance.now();
    const starts: number[] = [];
    const done = refreshStandings({
      standings: {
        async refresh() {
          starts.push(performance.now() - startedAtMs);
          await new Promise((resolve) => setTimeout(resolve, PASS_MS));
          return { led: true, more: state.more, touchedItems: 0, asOf: undefined };
        },
        asOf: async () => null,
      },
      metrics: createMetrics(),
      logger: createLogger('silent', 'test'),
      isQueueBehind: () => state.isQueueBehind,
      oldestInHandMs: () => state.inHandMs?.(Date.now()) ?? Infinity,
      signal: stop.signal,
    });
    await vi.advanceTimersByTimeAsync(2_050);
    stop.abort();
    await vi.advanceTimersByTimeAsync(1_000);
    await done;
    return starts.slice(0, 3);
  }

  it('passes twice a second while all is well, each time before a half second of the clock ends', async () => {
    expect(await startsOf({ more: false, isQueueBehind: false })).toEqual([0, 251, 751]);
  });

  it('leaves half of the time to recording while standings are behind', async () => {
    expect(await startsOf({ more: true, isQueueBehind: false })).toEqual([0, 201, 402]);
  });

  it('leaves four fifths of the time to recording while the queue is behind', async () => {
    expect(await startsOf({ more: true, isQueueBehind: true })).toEqual([0, 501, 1_002]);
    expect(await startsOf({ more: true, isQueueBehind: true, inHandMs: (now) => now - 2_000 })).toEqual([
      0, 501, 1_002,
    ]);
  });

  it('leaves nine tenths of the time to recording while what is recorded was accepted over two seconds ago', async () => {
    expect(await startsOf({ more: true, isQueueBehind: true, inHandMs: (now) => now - 2_001 })).toEqual([
      0, 1_001, 2_002,
    ]);
  });

  it('rests no longer than the queue is late', async () => {
    const startedAtMs = Date.now();
    const inHandMs = (now: number): number => (now - startedAtMs < 450 ? now - 60_000 : now);
    expect((await startsOf({ more: true, isQueueBehind: false, inHandMs })).slice(0, 2)).toEqual([0, 501]);
  });
});
