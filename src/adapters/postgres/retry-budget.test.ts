import { expect, it } from 'vitest';
import { createRetryBudget, type RetryBudget } from './retry-budget.ts';

/** How many of so many calls, each of which fails, may be tried again. */
function retriesOf(budget: RetryBudget, calls: number): number {
  let retries = 0;
  for (let call = 0; call < calls; call += 1) {
    budget.earn();
    if (budget.spend()) retries += 1;
  }
  return retries;
}

it('lets a burst through, and of a storm no more than its share', () => {
  const budget = createRetryBudget({ share: 0.125, reserve: 10 });
  expect(retriesOf(budget, 10)).toBe(10);
  retriesOf(budget, 100);
  expect(retriesOf(budget, 800)).toBe(100);
});

it('fills again while calls go well, up to its reserve', () => {
  const budget = createRetryBudget({ share: 0.125, reserve: 10 });
  while (budget.spend());
  for (let call = 0; call < 1_000; call += 1) budget.earn();
  let retries = 0;
  while (budget.spend()) retries += 1;
  expect(retries).toBe(10);
});
