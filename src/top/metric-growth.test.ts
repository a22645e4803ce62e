import { expect, it } from 'vitest';
import { metricGrowth } from './metric-growth.ts';
import { parseMetrics } from './prometheus-text.ts';

const of = (text: string) => parseMetrics(text);

it('reads names, labels with escapes, values and infinity, and leaves out what is not ours', () => {
  const text = [
    '# HELP groundswell_a_total Help.',
    '# TYPE groundswell_a_total counter',
    'groundswell_a_total{queue="out\\"box",kind="a,b"} 12',
    'groundswell_b_bucket{le="+Inf"} 1e3 1732480000000',
    'groundswell_c NaN',
    'nodejs_heap_size_total_bytes 5',
  ].join('\n');
  expect(of(text)).toEqual([
    {
      name: 'groundswell_a_total',
      labels: new Map([
        ['queue', 'out"box'],
        ['kind', 'a,b'],
      ]),
      value: 12,
    },
    { name: 'groundswell_b_bucket', labels: new Map([['le', '+Inf']]), value: 1_000 },
  ]);
});

it('sums what each process grew by, a restarted one from nothing, a new one not at all', () => {
  const before = new Map([
    ['a', of('groundswell_x_total{queue="q"} 10\ngroundswell_x_total{queue="r"} 1')],
    ['restarted', of('groundswell_x_total{queue="q"} 500')],
    ['gone', of('groundswell_x_total{queue="q"} 900')],
  ]);
  const after = new Map([
    ['a', of('groundswell_x_total{queue="q"} 15\ngroundswell_x_total{queue="r"} 3')],
    ['restarted', of('groundswell_x_total{queue="q"} 7')],
    ['new', of('groundswell_x_total{queue="q"} 1000')],
  ]);
  const growth = metricGrowth(before, after);
  expect(growth.grew('groundswell_x_total')).toBe(5 + 2 + 7);
  expect(growth.grew('groundswell_x_total', { queue: 'r' })).toBe(2);
  expect(growth.grew('groundswell_y_total')).toBe(0);
});

it('finds quantiles of what came in meanwhile, over processes, inside their bucket', () => {
  const page = (low: number, mid: number, all: number): string =>
    `groundswell_h_bucket{le="1"} ${low}\ngroundswell_h_bucket{le="2"} ${mid}\ngroundswell_h_bucket{le="+Inf"} ${all}`;
  const growth = metricGrowth(
    new Map([
      ['a', of(page(100, 100, 100))],
      ['b', of(page(0, 0, 0))],
    ]),
    new Map([
      ['a', of(page(100, 105, 105))],
      ['b', of(page(5, 5, 10))],
    ]),
  );
  // 15 in all: 5 up to 1, 5 up to 2, 5 beyond.
  expect(growth.quantile('groundswell_h', 0.5)).toBeCloseTo(1.5);
  expect(growth.quantile('groundswell_h', 1 / 6)).toBeCloseTo(0.5);
  expect(growth.quantile('groundswell_h', 0.99)).toBe(2);
  expect(growth.quantile('groundswell_i', 0.5)).toBeNull();
});
