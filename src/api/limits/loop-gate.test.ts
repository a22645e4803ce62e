import { describe, expect, it } from 'vitest';
import { createLoopGate, type LoopGate } from './loop-gate.ts';

const MAX_LAG_MS = 100;
const LATE = { lagMs: 2 * MAX_LAG_MS, arrivals: 1_000 };
const IN_TIME = { lagMs: 5, arrivals: 1_000 };

function update(gate: LoopGate, window: typeof LATE, times: number): void {
  for (let time = 0; time < times; time += 1) gate.update(window);
}

const admittedOf = (gate: LoopGate, requests: number): number =>
  Array.from({ length: requests }, () => gate.admits()).filter(Boolean).length;

describe('the event loop gate', () => {
  it('lets all in while the loop is in time, after one late window, and when there are hardly any requests', () => {
    const gate = createLoopGate({ maxLagMs: MAX_LAG_MS });
    update(gate, IN_TIME, 10);
    update(gate, LATE, 1);
    expect(admittedOf(gate, 100)).toBe(100);
    update(gate, IN_TIME, 1);
    update(gate, LATE, 1);
    update(gate, { lagMs: 5_000, arrivals: 3 }, 50);
    expect(admittedOf(gate, 100)).toBe(100);
  });

  it('halves what it lets in with each window that is twice too late, evenly spread', () => {
    const gate = createLoopGate({ maxLagMs: MAX_LAG_MS });
    update(gate, LATE, 3);
    expect(gate.openShare()).toBe(0.25);
    expect(admittedOf(gate, 1_000)).toBe(250);
    for (let four = 0; four < 20; four += 1) expect(admittedOf(gate, 4)).toBe(1);
  });

  it('always lets a few in, and all within three seconds of the end of an overload', () => {
    const gate = createLoopGate({ maxLagMs: MAX_LAG_MS });
    update(gate, { lagMs: 60_000, arrivals: 1_000 }, 600);
    expect(admittedOf(gate, 1_000)).toBeGreaterThanOrEqual(19);
    update(gate, IN_TIME, 30);
    expect(admittedOf(gate, 1_000)).toBe(1_000);
  });

  it.each([1.2, 2, 5, 20])(
    'finds the share that a loop can bear which is asked for %d times what it can do',
    (times) => {
      const gate = createLoopGate({ maxLagMs: MAX_LAG_MS });
      const perWindow = 200;
      let backlog = 0;
      let served = 0;
      for (let window = 0; window < 600; window += 1) {
        const arrivals = perWindow * times;
        backlog += arrivals * gate.openShare();
        const done = Math.min(backlog, perWindow);
        backlog -= done;
        if (window >= 100) served += done / perWindow;
        // The loop is late by what waits in it; a window is 100 ms.
        gate.update({ lagMs: (backlog / perWindow) * 100, arrivals });
      }
      expect(served / 500).toBeGreaterThan(0.95);
      expect((backlog / perWindow) * 100).toBeLessThan(2.5 * MAX_LAG_MS);
    },
  );
});
