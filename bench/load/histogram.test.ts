import { expect, it } from 'vitest';
import { addTo, countOf, percentile, type Histogram } from './histogram.ts';

it('a percentile is the end of the bucket that holds it', () => {
  const histogram: Histogram = new Map([
    [0, 98],
    [95, 1],
    [63, 1],
  ]);
  expect(percentile(histogram, 0.5)).toBe(1);
  expect(percentile(histogram, 0.98)).toBe(1);
  expect(percentile(histogram, 0.99)).toBeCloseTo(1.05 ** 63);
  expect(percentile(histogram, 1)).toBeCloseTo(1.05 ** 95);
});

it('there is none of nothing', () => {
  expect(percentile(new Map(), 0.99)).toBeNaN();
});

it('histograms of several processes add up', () => {
  const sum = addTo(
    new Map([[1, 2]]),
    new Map([
      [1, 3],
      [4, 1],
    ]),
  );
  expect(sum).toEqual(
    new Map([
      [1, 5],
      [4, 1],
    ]),
  );
  expect(countOf(sum)).toBe(6);
});
