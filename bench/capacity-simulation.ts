import { createRandom, createWeightedPick } from '../src/demo/random.ts';
import { ASSUMPTIONS, type Assumptions } from './capacity-inputs.ts';
import type { PartCosts, Plan, UnitCosts } from './capacity-model.ts';
import { exponential, percentile, serve, serveBatches, type Station } from './stations.ts';
import { createZipf } from './zipf.ts';

export interface SimulatedPart {
  readonly name: string;
  readonly planned: number;
  readonly simulated: number;
}

export interface Simulation {
  /** How busy each part's busiest partition is, by the plan and in the simulation. */
  readonly utilizations: readonly SimulatedPart[];
  /** Of all writes, those of the most loaded partition, by the plan and when items are hashed. */
  readonly hottest: readonly SimulatedPart[];
  readonly p99Ms: { readonly cachedRead: number; readonly accept: number; readonly recorded: number };
}

/** Objectives of docs/monitoring.md, at the 99th percentile. */
export const OBJECTIVES_MS: Simulation['p99Ms'] = { cachedRead: 100, accept: 250, recorded: 2_000 };

export interface SimulationOptions {
  readonly seed: number;
  readonly arrivals?: number;
  readonly draws?: number;
  /** As if so many times the users came, to the same machines. */
  readonly overload?: number;
  readonly assumed?: Assumptions;
}

/** As the worker has it unless told otherwise. */
const BATCH = { maxItems: 2_500, maxWaitSeconds: 0.1 };

/**
 * The plan with requests that come one by one and by chance, take longer and shorter than the mean, wait for each other,
 * and items that are hashed to partitions whole. Each part is simulated by itself, on its most loaded partition.
 */
export function simulate(costs: UnitCosts, plan: Plan, options: SimulationOptions): Simulation {
  const { seed, arrivals = 40_000, draws = 200_000, overload = 1, assumed = ASSUMPTIONS } = options;
  const random = createRandom(seed);
  const { cachedRead, uncachedRead, accept, record } = costs.cpuSeconds;
  const { api, worker, postgres, rabbitmq, redis } = plan.parts;
  const writes = plan.writesPerSecond * overload;
  const cached = plan.cachedReadsPerSecond * overload;
  const uncached = plan.uncachedReadsPerSecond * overload;
  const hot = {
    postgres: hashedShare(plan, postgres.partitions, draws, assumed, random),
    rabbitmq: hashedShare(plan, rabbitmq.partitions, draws, assumed, random),
  };
  /** Reads and writes in their mix at a station that has this part of each. */
  const mixed = (part: keyof PartCosts, share: number, servers: number, work: readonly (readonly [number, number])[]) =>
    station(
      work.map(([perSecond, seconds]) => [perSecond * share, seconds]),
      { servers, arrivals, random },
    );

  const requests: (part: keyof PartCosts) => (readonly [number, number])[] = (part) => [
    [cached, cachedRead[part]],
    [uncached, uncachedRead[part]],
    [writes, accept[part] + record[part]],
  ];
  const processes = api.machines * api.vcpusEach;
  const apiAt = mixed('api', 1 / processes, 1, requests('api'));
  const redisAt = mixed('redis', 1 / redis.partitions, 1, requests('redis'));
  const nodes = rabbitmq.machines;
  const brokerAt = mixed('rabbitmq', assumed.copies / nodes, rabbitmq.vcpusEach, requests('rabbitmq'));
  const touched = plan.touchedPerSecond * overload;
  const primaryAt = mixed('postgres', hot.postgres, postgres.vcpusEach, [
    [writes, accept.postgres + record.postgres],
    [touched, costs.standingsSecondsPerItem],
  ]);
  const replicaShare = 1 / (postgres.partitions * Math.max(1, assumed.copies - 1));
  const replicaAt = mixed('postgres', replicaShare, postgres.vcpusEach, [
    [cached, cachedRead.postgres],
    [uncached, uncachedRead.postgres],
  ]);
  const workers = worker.machines * worker.vcpusEach;
  const workerAt = serveBatches(
    {
      ...BATCH,
      perSecond: writes / workers,
      arrivals,
      batchesAtOnce: assumed.batchesAtOnce,
      secondsPerItem: record.worker + record.postgres,
    },
    random,
  );

  const planned = {
    api: api.cores / processes,
    worker: (plan.writesPerSecond * (record.worker + record.postgres)) / assumed.batchesAtOnce / workers,
    redis: redis.cores / redis.partitions,
    rabbitmq: rabbitmq.cores / (nodes * rabbitmq.vcpusEach),
    primary:
      ((plan.writesPerSecond * (accept.postgres + record.postgres) +
        plan.touchedPerSecond * costs.standingsSecondsPerItem) *
        plan.hottestShare.postgres) /
      postgres.vcpusEach,
    replica:
      ((plan.cachedReadsPerSecond * cachedRead.postgres + plan.uncachedReadsPerSecond * uncachedRead.postgres) *
        replicaShare) /
      postgres.vcpusEach,
  };
  return {
    utilizations: [
      { name: 'API process', planned: planned.api, simulated: apiAt.utilization },
      { name: 'worker process', planned: planned.worker, simulated: workerAt.utilization },
      { name: 'Postgres primary', planned: planned.primary, simulated: primaryAt.utilization },
      { name: 'Postgres replica', planned: planned.replica, simulated: replicaAt.utilization },
      { name: 'RabbitMQ node', planned: planned.rabbitmq, simulated: brokerAt.utilization },
      { name: 'Redis', planned: planned.redis, simulated: redisAt.utilization },
    ],
    hottest: [
      { name: 'Postgres', planned: plan.hottestShare.postgres, simulated: hot.postgres },
      { name: 'RabbitMQ', planned: plan.hottestShare.rabbitmq, simulated: hot.rabbitmq },
    ],
    p99Ms: {
      cachedRead: inSequence([apiAt, redisAt], random),
      accept: inSequence([apiAt, redisAt, brokerAt], random),
      recorded: inSequence([brokerAt, workerAt, primaryAt], random),
    },
  };
}

/** Kinds of work, each so often a second and so long in the mean, at one queue. */
function station(
  work: readonly (readonly [number, number])[],
  { servers, arrivals, random }: { servers: number; arrivals: number; random: () => number },
): Station {
  const kinds = work.filter(([perSecond, seconds]) => perSecond > 0 && seconds > 0);
  if (kinds.length === 0) return { utilization: 0, stays: [0] };
  const pick = createWeightedPick(
    kinds.map(([perSecond]) => perSecond),
    random,
  );
  const perSecond = kinds.reduce((sum, [one]) => sum + one, 0);
  return serve({ perSecond, servers, arrivals }, () => exponential(kinds[pick()]?.[1] ?? 0, random), random);
}

/** One after the other: the 99th percentile of the sum, in milliseconds. */
function inSequence(stations: readonly Station[], random: () => number): number {
  const sums = Array.from({ length: 20_000 }, () =>
    stations.reduce((sum, { stays }) => sum + (stays[Math.floor(random() * stays.length)] ?? 0), 0),
  );
  return percentile(sums, 0.99) * 1_000;
}

/** Draws items by the law that is assumed and hashes each to a partition; what the most loaded one got. */
function hashedShare(
  { traffic }: Plan,
  partitions: number,
  draws: number,
  { zipfExponent }: Assumptions,
  random: () => number,
): number {
  if (partitions === 1) return 1;
  const zipf = createZipf(traffic.activeItems, zipfExponent);
  const salt = Math.floor(random() * 2 ** 32);
  const loads = new Uint32Array(partitions);
  for (let draw = 0; draw < draws; draw += 1) {
    const partition = hash(zipf.pick(random()), salt) % partitions;
    loads[partition] = (loads[partition] ?? 0) + 1;
  }
  return Math.max(...loads) / draws;
}

/** The finalizer of MurmurHash3 (Austin Appleby, public domain). */
function hash(rank: number, salt: number): number {
  let mixed = (rank ^ salt) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
