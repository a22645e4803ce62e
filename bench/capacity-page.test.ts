import { expect, it } from 'vitest';
import { readCosts, readPage, withTables } from './capacity-page.ts';

it('docs/capacity.md shows what the model makes of the last recorded run', () => {
  expect(withTables(readPage(), readCosts())).toBe(readPage());
});

it('other costs give other tables', () => {
  const costs = readCosts();
  const slower = { ...costs.cpuSeconds, record: { ...costs.cpuSeconds.record, worker: 0.001 } };
  expect(withTables(readPage(), { ...costs, cpuSeconds: slower })).not.toBe(readPage());
});

it('a page that lost a marker is refused', () => {
  expect(() => withTables(readPage().replace('<!-- plans -->', ''), readCosts())).toThrow('plans');
});
