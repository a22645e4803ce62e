import { describe, expect, it } from 'vitest';
import { partsOf } from './popularity-sql.ts';

const DAY = 20_000;

/** How often each hour is in the sum. */
function covered({ days, hours }: ReturnType<typeof partsOf>): Map<number, number> {
  const times = new Map<number, number>();
  const add = (from: number, to: number, sign: number): void => {
    for (let hour = from; hour < to; hour += 1) times.set(hour, (times.get(hour) ?? 0) + sign);
  };
  add(days.from * 24, days.to * 24, 1);
  for (const { from, to, sign } of hours) add(from, to, sign);
  return new Map([...times].filter(([, count]) => count !== 0));
}

describe('a window as days and hours', () => {
  const spans = [1, 2, 23, 24, 25, 36, 168, 720];
  const ends = Array.from({ length: 24 }, (_, hour) => DAY * 24 + hour);

  it.each(spans)('of %d hours holds each of its hours once and no other, whenever it ends', (span) => {
    for (const hour of ends) {
      for (const currentHour of [hour, hour + 3, hour + 1_000]) {
        const parts = partsOf(hour - span + 1, { hour, currentHour });
        const expected = new Map(Array.from({ length: span }, (_, n) => [hour - span + 1 + n, 1] as const));
        expect(covered(parts), `to ${hour - DAY * 24}`).toEqual(expected);
        expect(parts.days.from).toBeLessThanOrEqual(parts.days.to);
      }
    }
  });

  it('that ends now takes at most 12 hours that have been', () => {
    for (const hour of ends) {
      const { hours } = partsOf(hour - 167, { hour, currentHour: hour });
      const past = hours.map(({ from, to }) => Math.max(0, Math.min(to, hour + 1) - from));
      expect(past.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(12);
    }
  });
});
