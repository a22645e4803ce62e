import { expect, it } from 'vitest';
import { ASSUMPTIONS, TRAFFIC } from './capacity-inputs.ts';
import { planCapacity } from './capacity-model.ts';
import { readCosts } from './capacity-page.ts';
import { OBJECTIVES_MS, simulate } from './capacity-simulation.ts';

const costs = readCosts();
const LATENCIES = ['cachedRead', 'accept', 'recorded'] as const;

for (const traffic of TRAFFIC) {
  it(`${traffic.users} users keep the machines that are planned for them as busy as planned, within the objectives`, () => {
    const { utilizations, hottest, p99Ms } = simulate(costs, planCapacity(costs, traffic), { seed: 2 });
    for (const { name, planned, simulated } of utilizations) {
      expect(planned, name).toBeLessThanOrEqual(ASSUMPTIONS.utilization * 1.001);
      expect(Math.abs(simulated - planned), name).toBeLessThan(0.1 * planned + 0.005);
    }
    for (const { name, planned, simulated } of hottest) expect(simulated, name).toBeLessThan(planned * 1.1);
    for (const key of LATENCIES) expect(p99Ms[key], key).toBeLessThan(OBJECTIVES_MS[key]);
  });
}

it('two and a half times as many users on the same machines are more than they can serve', () => {
  const plan = planCapacity(costs, { users: 20_000_000, activeItems: 5_000_000, pages: 5_000 });
  const { utilizations, p99Ms } = simulate(costs, plan, { seed: 2, overload: 2.5, arrivals: 200_000 });
  expect(utilizations.filter(({ simulated }) => simulated > 0.95).length).toBeGreaterThanOrEqual(2);
  expect(LATENCIES.filter((key) => p99Ms[key] > OBJECTIVES_MS[key]).length).toBeGreaterThan(0);
});

it('a law that gives one item more than its plan knows shows in the most loaded partition', () => {
  const plan = planCapacity(costs, TRAFFIC.at(-1) ?? { users: 1, activeItems: 1, pages: 1 });
  const { hottest } = simulate(costs, plan, { seed: 2, assumed: { ...ASSUMPTIONS, zipfExponent: 1.1 } });
  for (const { name, planned, simulated } of hottest) expect(simulated, name).toBeGreaterThan(planned * 1.2);
});
