import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { createMetrics } from '../runtime/metrics.ts';

it('top asks for metrics that there are', () => {
  const { registry } = createMetrics();
  const text = readFileSync(new URL('snapshot.ts', import.meta.url), 'utf8');
  const names = [...new Set(text.match(/groundswell_\w+/g))];
  expect(names.length).toBeGreaterThan(10);
  const known = (name: string): boolean =>
    registry.getSingleMetric(name) !== undefined ||
    registry.getSingleMetric(name.replace(/_(sum|count)$/, '')) !== undefined;
  expect(names.filter((name) => !known(name))).toEqual([]);
});
