import { expect, it } from 'vitest';
import type { PartGauges } from './part-gauges.ts';
import { runTop } from './run-top.ts';

const AWAY = { up: false, fault: 'connect ECONNREFUSED' } as const;
const PARTS: PartGauges = { primary: AWAY, replicas: [], queue: AWAY, cache: null };
const HOME = '\u001B[H';
const CLEAR_LINE = '\u001B[K';
const CLEAR_BELOW = '\u001B[J';

/** What is written to a terminal of this size, look by look, until there were three. */
async function framesOf(rows: number, columns: number): Promise<string[]> {
  const frames: string[] = [];
  const leaving = new AbortController();
  const write = (text: string): void => {
    frames.push(text);
    if (frames.length === 3) leaving.abort();
  };
  const saw = await runTop({
    origins: [],
    intervalMs: 1,
    once: false,
    json: false,
    parts: { look: async () => PARTS, close: async () => undefined },
    screen: { live: true, columns: () => columns, rows: () => rows, write },
    signal: leaving.signal,
  });
  expect(saw).toBe(true);
  return frames;
}

it('each look is drawn over the last one, line by line, and what stood below is cleared', async () => {
  const frames = await framesOf(50, 80);
  expect(frames).toHaveLength(3);
  for (const frame of frames) {
    expect(frame.startsWith(HOME)).toBe(true);
    expect(frame.endsWith(`q leaves${CLEAR_LINE}\n${CLEAR_BELOW}`)).toBe(true);
    const lines = frame.split('\n').slice(0, -1);
    expect(lines.every((line) => line.endsWith(CLEAR_LINE))).toBe(true);
  }
});

it.each([1, 2, 8])('on a terminal of %i rows nothing scrolls: what does not fit is left out', async (rows) => {
  const [frame = ''] = await framesOf(rows, 80);
  expect(frame.split(CLEAR_LINE)).toHaveLength(Math.max(1, rows - 1) + 1);
  expect(frame).toContain('groundswell top');
});
