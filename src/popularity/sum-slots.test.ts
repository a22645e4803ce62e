import { describe, expect, it } from 'vitest';
import { createSumSlots } from './sum-slots.ts';

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe('sum slots', () => {
  it('runs two at once and lets others wait their turn', async () => {
    const slots = createSumSlots({ slots: 2, maxWaitMs: 5_000 });
    const gates = [deferred(), deferred(), deferred()];
    const started: number[] = [];
    const runs = gates.map(({ promise }, index) =>
      slots.run(async () => {
        started.push(index);
        await promise;
      }),
    );
    await Promise.resolve();
    expect(started).toEqual([0, 1]);
    gates[1]?.resolve();
    await runs[1];
    await Promise.resolve();
    expect(started).toEqual([0, 1, 2]);
    for (const { resolve } of gates) resolve();
    await Promise.all(runs);
  });

  it('answers SERVICE_BUSY when no slot is free in time', async () => {
    const slots = createSumSlots({ slots: 1, maxWaitMs: 10 });
    const gate = deferred();
    const first = slots.run(() => gate.promise);
    await expect(slots.run(async () => 'late')).rejects.toMatchObject({ code: 'SERVICE_BUSY', retryAfterSeconds: 1 });
    gate.resolve();
    await first;
    expect(await slots.run(async () => 'free again')).toBe('free again');
  });

  it('frees the slot of work that fails', async () => {
    const slots = createSumSlots({ slots: 1, maxWaitMs: 10 });
    await expect(slots.run(() => Promise.reject(new Error('away')))).rejects.toThrow('away');
    expect(await slots.run(async () => 1)).toBe(1);
  });
});
