import { expect, it } from 'vitest';
import { createRandom } from '../src/demo/random.ts';
import { exponential, percentile, serve, serveBatches } from './stations.ts';

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** A tenth: what chance does to means of correlated waits. */
function expectNear(value: number, expected: number): void {
  expect(Math.abs(value - expected)).toBeLessThan(0.1 * expected);
}

/** Pollaczek and Khinchine: the mean wait at one server, by arrivals a second and the service time's first two moments. */
function meanWait(perSecond: number, first: number, second: number): number {
  return (perSecond * second) / (2 * (1 - perSecond * first));
}

for (const utilization of [0.3, 0.5, 0.8]) {
  it(`one server that is busy ${utilization} of the time has the mean wait of Pollaczek and Khinchine`, () => {
    const random = createRandom(11);
    const perSecond = utilization / 0.01;
    const fixed = serve({ perSecond, servers: 1, arrivals: 300_000 }, () => 0.01, random);
    expect(fixed.utilization).toBeCloseTo(utilization, 2);
    expectNear(mean(fixed.stays) - 0.01, meanWait(perSecond, 0.01, 0.01 ** 2));
    const chance = serve({ perSecond, servers: 1, arrivals: 300_000 }, () => exponential(0.01, random), random);
    expectNear(mean(chance.stays) - 0.01, meanWait(perSecond, 0.01, 2 * 0.01 ** 2));
  });
}

it('several servers at one queue have the mean wait of Erlang', () => {
  const random = createRandom(5);
  const [servers, offered] = [4, 3];
  const station = serve({ perSecond: 300, servers, arrivals: 300_000 }, () => exponential(0.01, random), random);
  let blocking = 1;
  for (let count = 1; count <= servers; count += 1) blocking = (offered * blocking) / (count + offered * blocking);
  const waiting = blocking / (1 - (offered / servers) * (1 - blocking));
  expectNear(mean(station.stays) - 0.01, (waiting * 0.01) / (servers - offered));
});

it('more than a server can do makes a queue without end', () => {
  const random = createRandom(3);
  const station = serve({ perSecond: 200, servers: 1, arrivals: 20_000 }, () => 0.01, random);
  expect(station.utilization).toBeGreaterThan(0.99);
  expect(percentile(station.stays, 0.99)).toBeGreaterThan(40);
});

const BATCHES = { arrivals: 50_000, batchesAtOnce: 2, maxItems: 2_500, maxWaitSeconds: 0.1 };

it('a quiet worker records a batch when it is old enough, a busy one when it is full', () => {
  const quiet = serveBatches({ ...BATCHES, arrivals: 5_000, perSecond: 10, secondsPerItem: 0.0002 }, createRandom(1));
  expect(percentile(quiet.stays, 0.99)).toBeLessThan(0.11);
  expect(Math.max(...quiet.stays)).toBeGreaterThanOrEqual(0.1);
  const busy = serveBatches({ ...BATCHES, perSecond: 100_000, secondsPerItem: 0.00001 }, createRandom(1));
  expect(percentile(busy.stays, 0.5)).toBeLessThan(0.06);
  expect(busy.utilization).toBeCloseTo(0.5, 1);
});

it('a worker with more than its places can record falls behind', () => {
  const station = serveBatches({ ...BATCHES, perSecond: 10_000, secondsPerItem: 0.0004 }, createRandom(1));
  expect(station.utilization).toBeGreaterThan(0.95);
  expect(percentile(station.stays, 0.99)).toBeGreaterThan(4);
});
