import { expect, it } from 'vitest';
import { growth, histogramPercentile, parseSamples } from './prometheus.ts';

const scrape = (within1: number, all: number): string =>
  `# HELP late_seconds From accepted to recorded.
late_seconds_bucket{le="1"} ${within1}
late_seconds_bucket{le="2"} ${all}
late_seconds_bucket{le="+Inf"} ${all}
late_seconds_count ${all}
requests_total{status="200"} ${all}
requests_total{status="503"} 1
`;

it('samples of several processes add up', () => {
  expect(parseSamples([scrape(1, 2), scrape(3, 4)]).get('requests_total{status="200"}')).toBe(6);
});

it('a counter has grown by what was added between two scrapes, of all its labels or one', () => {
  const [before, after] = [parseSamples([scrape(1, 2)]), parseSamples([scrape(5, 12)])];
  expect(growth(before, after, 'requests_total')).toBe(10);
  expect(growth(before, after, 'requests_total', 'status="503"')).toBe(0);
  expect(growth(parseSamples([]), after, 'requests_total', 'status="5')).toBe(1);
});

it('a percentile is the bound that holds it', () => {
  const [before, after] = [parseSamples([scrape(0, 0)]), parseSamples([scrape(98, 100)])];
  expect(histogramPercentile(before, after, 'late_seconds', 0.98)).toBe(1);
  expect(histogramPercentile(before, after, 'late_seconds', 0.99)).toBe(2);
  expect(histogramPercentile(after, after, 'late_seconds', 0.99)).toBeNaN();
});
