import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createReadiness } from './readiness.ts';

let problem: string | null;
let asked: number;
let tookMs: number;

beforeEach(() => {
  vi.useFakeTimers();
  [problem, asked, tookMs] = [null, 0, 0];
});
afterEach(() => void vi.useRealTimers());

const checks = [
  {
    name: 'database',
    required: true,
    check: (): Promise<string | null> => {
      asked += 1;
      return new Promise((resolve) => {
        setTimeout(() => resolve(problem), tookMs);
      });
    },
  },
];

/** What it says, and after how many milliseconds. */
async function reported(readiness: ReturnType<typeof createReadiness>): Promise<[boolean, number]> {
  const startedAtMs = performance.now();
  let took = NaN;
  const report = readiness.report().then((answer) => {
    took = performance.now() - startedAtMs;
    return answer.ready;
  });
  for (let step = 0; step < 5_000 && Number.isNaN(took); step += 1) await vi.advanceTimersByTimeAsync(1);
  return [await report, Math.round(took)];
}

it('many who ask at once share one look', async () => {
  const readiness = createReadiness({ checks });
  const reports = Promise.all([readiness.report(), readiness.report()]);
  await vi.advanceTimersByTimeAsync(1);
  expect((await reports).map(({ ready }) => ready)).toEqual([true, true]);
  await reported(readiness);
  expect(asked).toBe(1);
});

it('who asks while a part answers slowly hears what it last said, and the next one the new answer', async () => {
  const readiness = createReadiness({ checks });
  await reported(readiness);
  [problem, tookMs] = ['is away', 1_000];
  await vi.advanceTimersByTimeAsync(600);
  expect(await reported(readiness)).toEqual([true, 0]);
  await vi.advanceTimersByTimeAsync(1_000);
  tookMs = 0;
  expect(await reported(readiness)).toEqual([false, 0]);
});

it('who asks after something was wrong hears how it is now', async () => {
  const readiness = createReadiness({ checks });
  problem = 'is away';
  await reported(readiness);
  [problem, tookMs] = [null, 300];
  expect(await reported(readiness)).toEqual([false, 0]);
  await vi.advanceTimersByTimeAsync(600);
  expect(await reported(readiness)).toEqual([true, 300]);
});

it('a look from long ago is no answer, and a part that says nothing is not ready', async () => {
  const readiness = createReadiness({ checks });
  await reported(readiness);
  await vi.advanceTimersByTimeAsync(10_000);
  tookMs = 700;
  expect(await reported(readiness)).toEqual([true, 700]);
  await vi.advanceTimersByTimeAsync(10_000);
  tookMs = 60_000;
  expect(await reported(readiness)).toEqual([false, 2_000]);
});

it('draining shows at once', async () => {
  const readiness = createReadiness({ checks });
  await reported(readiness);
  readiness.beginDraining();
  expect(await reported(readiness)).toEqual([false, 0]);
});
