import { expect, it } from 'vitest';
import { ASSUMPTIONS, PRICES } from './capacity-inputs.ts';
import { partitionPoints, planCapacity, type UnitCosts } from './capacity-model.ts';

const NOTHING = { api: 0, worker: 0, postgres: 0, rabbitmq: 0, redis: 0 };
const BYTES = { heap: 60, indexes: 40 };
/** Round figures: a cached read 0.1 ms, an uncached one 1 ms, a write half a millisecond here and there. */
const COSTS: UnitCosts = {
  measuredOn: '2026-01-01',
  machine: 'a test',
  loadBefore: 0,
  cpuSeconds: {
    cachedRead: { ...NOTHING, api: 0.0001, redis: 0.00001 },
    uncachedRead: { ...NOTHING, api: 0.001, postgres: 0.0005 },
    accept: { ...NOTHING, api: 0.0002, rabbitmq: 0.0001, redis: 0.00002 },
    acceptPacked: { ...NOTHING, api: 0.0002, rabbitmq: 0.0001, redis: 0.00002 },
    record: { ...NOTHING, worker: 0.0001, postgres: 0.0001, rabbitmq: 0.0001 },
  },
  interactionsPerMessage: 10,
  bytesPerRow: {
    interactions: BYTES,
    people: BYTES,
    reactions: BYTES,
    minutes: BYTES,
    hours: BYTES,
    days: BYTES,
    totals: BYTES,
  },
  rowsPerInteraction: { people: 0.9, reactions: 0.1 },
  walBytesPerInteraction: 500,
  standingsSecondsPerItem: 0.00005,
};
const SMALL = { users: 2_000, activeItems: 1_000, pages: 10 };

it('shares out actions: 2,000 users with an action every 10 s are 40 writes and 160 reads a second', () => {
  const plan = planCapacity(COSTS, SMALL);
  expect(plan.writesPerSecond).toBeCloseTo(40);
  // 32 private reads, and 10 pages made anew twice a second.
  expect(plan.uncachedReadsPerSecond).toBeCloseTo(32 + 20);
  expect(plan.cachedReadsPerSecond).toBeCloseTo(160 - 52);
  expect(plan.parts.api.cores).toBeCloseTo(108 * 0.0001 + 52 * 0.001 + 40 * 0.0002);
});

it('never has a part alone on one machine, however little there is to do', () => {
  const { parts } = planCapacity(COSTS, { users: 1, activeItems: 1, pages: 1 });
  expect(Object.values(parts).map(({ machines, partitions }) => [machines, partitions])).toEqual([
    [2, 1],
    [2, 1],
    [3, 1],
    [3, 1],
    [2, 1],
  ]);
});

it('gives every part the machines that keep it below the utilization, and partitions what one machine cannot hold', () => {
  for (const users of [2_000, 50_000, 1_000_000, 20_000_000]) {
    const { parts } = planCapacity(COSTS, { users, activeItems: users / 10, pages: 1_000 });
    for (const { cores, machines, vcpusEach } of Object.values(parts)) {
      expect(machines * vcpusEach * ASSUMPTIONS.utilization).toBeGreaterThanOrEqual(cores);
      expect(vcpusEach).toBeLessThanOrEqual(ASSUMPTIONS.largestMachineVcpus);
    }
    // A primary takes the writes alone, whatever its replicas have to spare.
    const { postgres } = parts;
    const primary = (users / 50) * 0.0001;
    expect(postgres.partitions * postgres.vcpusEach * ASSUMPTIONS.utilization).toBeGreaterThanOrEqual(primary);
  }
});

it('one pooler is enough for as many as half of its thread can pass on', () => {
  const assumed = { ...ASSUMPTIONS, utilization: 0.5, poolerMicrosecondsPerInteraction: 10 };
  // 50,000 interactions a second of 50 users each.
  expect(partitionPoints(COSTS, assumed)).toContainEqual({
    part: 'PgBouncer',
    what: 'one thread: 50,000 interactions/s',
    users: 2_500_000,
  });
});

it('a part is partitioned just where its point says', () => {
  const costs = { ...COSTS, standingsSecondsPerItem: 0 };
  const points = new Map(partitionPoints(costs).map(({ part, users }) => [part, users]));
  // 64 vCPUs at half, 0.1 ms each: 320,000 interactions a second of 50 users each.
  expect(points.get('Postgres')).toBeCloseTo(16_000_000);
  expect(points.get('RabbitMQ')).toBeCloseTo(1_250_000);
  const partitionsAt = (users: number, part: 'postgres' | 'rabbitmq'): number =>
    planCapacity(costs, { users, activeItems: 1_000, pages: 10 }, { ...ASSUMPTIONS, privateShare: 0 }).parts[part]
      .partitions;
  for (const [name, part] of [
    ['Postgres', 'postgres'],
    ['RabbitMQ', 'rabbitmq'],
  ] as const) {
    const users = points.get(name) ?? 0;
    expect(partitionsAt(users * 0.99, part)).toBe(1);
    expect(partitionsAt(users * 1.01, part)).toBe(2);
  }
});

it('stores raw rows for the retention, rollups by what is active and never more rows than interactions, and all three times', () => {
  const plan = planCapacity(COSTS, SMALL);
  const perDay = (40 / ASSUMPTIONS.peakFactor) * 86_400;
  expect(plan.gigabytes.interactions).toBeCloseTo((perDay * 90 * 100) / 1e9);
  expect(plan.gigabytes.hours).toBeCloseTo((1_000 * 2 * 6 * 365 * 100) / 1e9);
  const busy = planCapacity(COSTS, { ...SMALL, activeItems: 100_000_000 });
  expect(busy.gigabytes.hours).toBeCloseTo((perDay * 365 * 100) / 1e9);
  const once = Object.values(plan.gigabytes).reduce((sum, one) => sum + one, 0);
  expect(plan.gigabytesStored).toBeCloseTo(3 * once);
});

it('money is vCPUs by the hour and gigabytes by the month, at the prices given', () => {
  const at = (vcpuHour: number, gigabyteMonth: number) =>
    planCapacity(COSTS, SMALL, ASSUMPTIONS, { ...PRICES, vcpuHour, gigabyteMonth });
  expect(at(0, 0).moneyPerMonth).toBe(0);
  const plan = at(1, 10);
  expect(plan.moneyPerMonth).toBeCloseTo(plan.vcpus * 730 + plan.gigabytesStored * 10);
});

it('standings need more passes, or grow old, when more items are touched than one pass can score', () => {
  const quiet = planCapacity(COSTS, SMALL);
  expect(quiet.touchedPerSecond).toBeLessThanOrEqual(40);
  expect([quiet.passes, quiet.onePassSeconds]).toEqual([1, 0.5]);
  const slow = { ...COSTS, standingsSecondsPerItem: 0.01 };
  const busy = planCapacity(slow, { users: 200_000, activeItems: 50_000, pages: 10 });
  expect(busy.passes).toBe(Math.ceil((busy.touchedPerSecond * 0.01) / ASSUMPTIONS.utilization));
  // Never more than all items in one pass.
  expect(busy.onePassSeconds).toBeGreaterThan(60);
  expect(busy.onePassSeconds).toBeLessThanOrEqual(50_000 * 0.01);
});

it('refuses a plan in which the most popular item alone is too much for a partition', () => {
  const one = { users: 20_000_000, activeItems: 1, pages: 10 };
  expect(() => planCapacity(COSTS, one)).toThrow('most popular item');
});
