import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createBatcher } from './batcher.ts';

/** A flush whose batches end when the test says so. */
function manualFlush() {
  const started: (readonly number[])[] = [];
  const ends: (() => void)[] = [];
  return {
    started,
    flush: (items: readonly number[]) => {
      started.push(items);
      return new Promise<void>((resolve) => ends.push(resolve));
    },
    async end(index: number) {
      ends[index]?.();
      await vi.advanceTimersByTimeAsync(0);
    },
  };
}

describe('createBatcher', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('flushes a full batch at once', () => {
    const { started, flush } = manualFlush();
    const batcher = createBatcher({ maxItems: 3, maxWaitMs: 100, flush });
    for (const item of [1, 2]) batcher.add(item);
    expect(started).toEqual([]);
    batcher.add(3);
    expect(started).toEqual([[1, 2, 3]]);
  });

  it('flushes what there is at once, or when a flush ends, once no more come', () => {
    const { started, flush, end } = manualFlush();
    const batcher = createBatcher({ maxItems: 3, maxWaitMs: 100, concurrency: 1, flush });
    batcher.hurry();
    batcher.add(1);
    expect(started).toEqual([]);
    batcher.hurry();
    expect(started).toEqual([[1]]);
    batcher.add(2);
    batcher.hurry();
    expect(started).toEqual([[1]]);
    return end(0).then(() => expect(started).toEqual([[1], [2]]));
  });

  it('flushes nothing of what waited when it was told to forget', async () => {
    const { started, flush, end } = manualFlush();
    const batcher = createBatcher({ maxItems: 2, maxWaitMs: 100, concurrency: 1, flush });
    for (const item of [1, 2, 3, 4, 5]) batcher.add(item);
    batcher.forget();
    await end(0);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(started).toEqual([[1, 2]]);
    batcher.add(6);
    await vi.advanceTimersByTimeAsync(100);
    expect(started).toEqual([[1, 2], [6]]);
  });

  it('is behind while a full batch, or all that can come, waits for a flush to end', async () => {
    const { flush, end } = manualFlush();
    const batcher = createBatcher({ maxItems: 2, maxWaitMs: 100, concurrency: 1, flush });
    for (const item of [1, 2, 3]) batcher.add(item);
    expect(batcher.isBehind()).toBe(false);
    batcher.hurry();
    expect(batcher.isBehind()).toBe(true);
    await end(0);
    expect(batcher.isBehind()).toBe(false);
  });

  it('flushes what there is once the first item has waited long enough', () => {
    const { started, flush } = manualFlush();
    const batcher = createBatcher({ maxItems: 3, maxWaitMs: 100, flush });
    batcher.add(1);
    vi.advanceTimersByTime(60);
    batcher.add(2);
    vi.advanceTimersByTime(39);
    expect(started).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(started).toEqual([[1, 2]]);
  });

  it('starts the wait anew for the item after a full batch', () => {
    const { started, flush } = manualFlush();
    const batcher = createBatcher({ maxItems: 2, maxWaitMs: 100, flush });
    batcher.add(1);
    vi.advanceTimersByTime(90);
    batcher.add(2);
    batcher.add(3);
    vi.advanceTimersByTime(99);
    expect(started).toEqual([[1, 2]]);
    vi.advanceTimersByTime(1);
    expect(started).toEqual([[1, 2], [3]]);
  });

  it('runs two flushes at a time and starts the next full batch when one ends', async () => {
    const { started, flush, end } = manualFlush();
    const batcher = createBatcher({ maxItems: 2, maxWaitMs: 100, flush });
    for (let item = 1; item <= 7; item += 1) batcher.add(item);
    expect(started).toEqual([
      [1, 2],
      [3, 4],
    ]);
    await end(1);
    expect(started.at(-1)).toEqual([5, 6]);
    await end(0);
    expect(started).toHaveLength(3);
    await vi.advanceTimersByTimeAsync(100);
    expect(started.at(-1)).toEqual([7]);
  });

  it('flushes what became due while every flush was busy as soon as one ends', async () => {
    const { started, flush, end } = manualFlush();
    const batcher = createBatcher({ maxItems: 2, maxWaitMs: 100, concurrency: 1, flush });
    for (const item of [1, 2, 3]) batcher.add(item);
    await vi.advanceTimersByTimeAsync(500);
    expect(started).toEqual([[1, 2]]);
    await end(0);
    expect(started).toEqual([[1, 2], [3]]);
  });

  it('drains without waiting, in batches, and resolves when the last flush has ended', async () => {
    const { started, flush, end } = manualFlush();
    const batcher = createBatcher({ maxItems: 2, maxWaitMs: 100, concurrency: 1, flush });
    for (const item of [1, 2, 3]) batcher.add(item);
    let drained = false;
    void batcher.drain().then(() => (drained = true));
    await end(0);
    expect(started).toEqual([[1, 2], [3]]);
    expect(drained).toBe(false);
    await end(1);
    expect(drained).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('drains at once when nothing is in hand', async () => {
    const { flush } = manualFlush();
    await createBatcher({ maxItems: 2, maxWaitMs: 100, flush }).drain();
  });
});
