import { TRAFFIC } from './capacity-inputs.ts';
import { planCapacity } from './capacity-model.ts';
import { readCosts, SEED, writePage } from './capacity-page.ts';
import { OBJECTIVES_MS, simulate } from './capacity-simulation.ts';
import { figure, type Figure } from './figure.ts';

/** Plans and simulates with the costs of the last recorded run and what is assumed now; writes docs/capacity.md anew. */
export async function capacityPlan(): Promise<Figure[]> {
  const costs = readCosts();
  writePage();
  return TRAFFIC.flatMap((traffic) => {
    const plan = planCapacity(costs, traffic);
    const { utilizations, p99Ms } = simulate(costs, plan, { seed: SEED });
    const users = `${traffic.users.toLocaleString('en')} users`;
    const busiest = utilizations.reduce((a, b) => (a.simulated >= b.simulated ? a : b));
    return [
      figure({
        name: 'capacity-plan',
        what: `${users}, vCPUs`,
        values: [plan.vcpus],
        digits: 0,
        detail: `busiest: ${busiest.name}, ${(busiest.simulated * 100).toFixed(0)} % simulated, ${(busiest.planned * 100).toFixed(0)} % planned`,
      }),
      ...(['cachedRead', 'accept', 'recorded'] as const).map((key) =>
        figure({
          name: 'capacity-plan',
          what: `${users}, ${key}, simulated 99th percentile`,
          values: [p99Ms[key]],
          unit: ' ms',
          bar: { atMost: OBJECTIVES_MS[key] },
        }),
      ),
    ];
  });
}
