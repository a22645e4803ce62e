import { ASSUMPTIONS, PRICES, type Assumptions, type Prices, type Traffic } from './capacity-inputs.ts';
import { createZipf } from './zipf.ts';

/** CPU seconds of one request or one interaction, by the processes that spend them. */
export interface PartCosts {
  readonly api: number;
  readonly worker: number;
  readonly postgres: number;
  readonly rabbitmq: number;
  readonly redis: number;
}

export interface RowBytes {
  readonly heap: number;
  readonly indexes: number;
}

export const SIZED_TABLES = ['interactions', 'people', 'reactions', 'minutes', 'hours', 'days', 'totals'] as const;
export type SizedTable = (typeof SIZED_TABLES)[number];

/** What was measured (`npm run bench -- capacity`). */
export interface UnitCosts {
  readonly measuredOn: string;
  readonly machine: string;
  /** Of the last minute before it began: others' work on the same cores makes caches colder, and costs higher. */
  readonly loadBefore: number;
  readonly cpuSeconds: {
    readonly cachedRead: PartCosts;
    readonly uncachedRead: PartCosts;
    /** By itself or nearly so in its message: what plans are made with. */
    readonly accept: PartCosts;
    /** At full load, when interactions share messages. */
    readonly acceptPacked: PartCosts;
    /** Without the standings. */
    readonly record: PartCosts;
  };
  /** At full load. */
  readonly interactionsPerMessage: number;
  readonly bytesPerRow: Readonly<Record<SizedTable, RowBytes>>;
  /** Of the recorded mix: a view makes a row in people, a like one in reactions, until the same person comes again. */
  readonly rowsPerInteraction: { readonly people: number; readonly reactions: number };
  readonly walBytesPerInteraction: number;
  /** Of Postgres, for one touched item in all rankings and windows. */
  readonly standingsSecondsPerItem: number;
}

export interface PartPlan {
  /** CPU seconds each second, all copies together. */
  readonly cores: number;
  readonly machines: number;
  readonly vcpusEach: number;
  /** Over how many the data or the queue is partitioned; 1: not at all. */
  readonly partitions: number;
}

export interface Plan {
  readonly traffic: Traffic;
  readonly writesPerSecond: number;
  readonly cachedReadsPerSecond: number;
  readonly uncachedReadsPerSecond: number;
  /** Items whose standings are made anew each second. */
  readonly touchedPerSecond: number;
  /** How many passes of the standings have to run side by side. */
  readonly passes: number;
  /** Age of the standings with the one pass that runs today. */
  readonly onePassSeconds: number;
  /** Of a partition's writes, what the most loaded one has to take: the most popular item is not divided. */
  readonly hottestShare: { readonly postgres: number; readonly rabbitmq: number };
  readonly parts: Readonly<Record<'api' | 'worker' | 'postgres' | 'rabbitmq' | 'redis', PartPlan>>;
  readonly gigabytes: Readonly<Record<SizedTable, number>>;
  /** All tables, every copy. */
  readonly gigabytesStored: number;
  readonly vcpus: number;
  readonly moneyPerMonth: number;
}

const HOURS_PER_MONTH = 730;
const SECONDS_PER_DAY = 86_400;
const MINUTES_KEPT_DAYS = 49 / 24;
const GIGABYTE = 1e9;

export function planCapacity(
  costs: UnitCosts,
  traffic: Traffic,
  assumed: Assumptions = ASSUMPTIONS,
  prices: Prices = PRICES,
): Plan {
  const { cachedRead, uncachedRead, accept, record } = costs.cpuSeconds;
  const actions = traffic.users / assumed.secondsBetweenActions;
  const writes = actions / (1 + assumed.readsPerWrite);
  const reads = actions - writes;
  const publicReads = reads * (1 - assumed.privateShare);
  const misses = Math.min(publicReads, traffic.pages / assumed.cacheSeconds);
  const uncached = reads - publicReads + misses;
  const cached = publicReads - misses;
  const spent = (part: keyof PartCosts): number =>
    cached * cachedRead[part] + uncached * uncachedRead[part] + writes * (accept[part] + record[part]);

  const zipf = createZipf(traffic.activeItems, assumed.zipfExponent);
  const touchedIn = (seconds: number): number => zipf.distinct(writes * seconds);
  const touched = touchedIn(assumed.standingsSeconds) / assumed.standingsSeconds;
  const standingsCores = touched * costs.standingsSecondsPerItem;
  const primaryCores = writes * (accept.postgres + record.postgres) + standingsCores;
  const readCores = cached * cachedRead.postgres + uncached * uncachedRead.postgres;
  // While a batch is recorded its place in the worker is taken, though Postgres does the work.
  const places = (writes * (record.worker + record.postgres)) / assumed.batchesAtOnce;

  const postgres = sharded(primaryCores, readCores, zipf.topShare, assumed);
  const rabbitmq = quorum(spent('rabbitmq'), writes, zipf.topShare, assumed);
  const parts: Plan['parts'] = {
    api: alike(spent('api'), 2, assumed),
    worker: alike(Math.max(spent('worker'), places), 2, assumed),
    postgres,
    rabbitmq,
    redis: singleThreads(spent('redis'), assumed),
  };
  const gigabytes = storedGigabytes(costs, traffic, writes / assumed.peakFactor, assumed);
  const gigabytesStored = assumed.copies * Object.values(gigabytes).reduce((sum, one) => sum + one, 0);
  const vcpus = Object.values(parts).reduce((sum, { machines, vcpusEach }) => sum + machines * vcpusEach, 0);
  return {
    traffic,
    writesPerSecond: writes,
    cachedReadsPerSecond: cached,
    uncachedReadsPerSecond: uncached,
    touchedPerSecond: touched,
    passes: Math.max(1, Math.ceil(standingsCores / assumed.utilization)),
    onePassSeconds: onePassSeconds(touchedIn, costs.standingsSecondsPerItem),
    hottestShare: {
      postgres: hottestShare(zipf.topShare, postgres.partitions),
      rabbitmq: hottestShare(zipf.topShare, rabbitmq.partitions),
    },
    parts,
    gigabytes,
    gigabytesStored,
    vcpus,
    moneyPerMonth: vcpus * HOURS_PER_MONTH * prices.vcpuHour + gigabytesStored * prices.gigabyteMonth,
  };
}

/** The most popular item lies in one partition, and that one has its part of all the others too. */
function hottestShare(topShare: number, partitions: number): number {
  return topShare + (1 - topShare) / partitions;
}

/** So long that what is touched meanwhile takes as long to score; half a second is how often a pass begins. */
function onePassSeconds(touchedIn: (seconds: number) => number, secondsPerItem: number): number {
  let seconds = 0.5;
  for (let round = 0; round < 100; round += 1) seconds = Math.max(0.5, touchedIn(seconds) * secondsPerItem);
  return seconds;
}

export interface Limit {
  readonly part: 'PgBouncer' | 'Postgres' | 'RabbitMQ' | 'Redis' | 'standings';
  readonly what: string;
  /** Simultaneous users, with these costs and assumptions. */
  readonly users: number;
}

/** Up to how many users one primary, one queue, one Redis, one pooler and one pass of the standings are enough, if each write is to another item. */
export function partitionPoints(costs: UnitCosts, assumed: Assumptions = ASSUMPTIONS): Limit[] {
  const { cachedRead, uncachedRead, accept, record } = costs.cpuSeconds;
  const writesPerUser = 1 / assumed.secondsBetweenActions / (1 + assumed.readsPerWrite);
  const readsPerUser = writesPerUser * assumed.readsPerWrite;
  const perWrite = accept.postgres + record.postgres + costs.standingsSecondsPerItem;
  const writesOfPrimary = (assumed.largestMachineVcpus * assumed.utilization) / perWrite;
  const redisPerUser =
    readsPerUser * ((1 - assumed.privateShare) * cachedRead.redis + assumed.privateShare * uncachedRead.redis) +
    writesPerUser * (accept.redis + record.redis);
  const writesOfPooler = (assumed.utilization * 1e6) / assumed.poolerMicrosecondsPerInteraction;
  const itemsPerSecond = assumed.utilization / costs.standingsSecondsPerItem;
  return [
    {
      part: 'standings',
      what: `one pass at a time: ${whole(itemsPerSecond)} items/s`,
      users: itemsPerSecond / writesPerUser,
    },
    { part: 'Redis', what: 'one thread', users: assumed.utilization / redisPerUser },
    {
      part: 'Postgres',
      what: `a primary of ${assumed.largestMachineVcpus} vCPUs: ${whole(writesOfPrimary)} interactions/s`,
      users: writesOfPrimary / writesPerUser,
    },
    {
      part: 'RabbitMQ',
      what: `one quorum queue: ${whole(assumed.queueMessagesPerSecond)} messages/s, one interaction in each`,
      users: assumed.queueMessagesPerSecond / writesPerUser,
    },
    {
      part: 'PgBouncer',
      what: `one thread: ${whole(writesOfPooler)} interactions/s`,
      users: writesOfPooler / writesPerUser,
    },
  ];
}

/** Stateless: as many machines as it takes, and one more than one. */
function alike(cores: number, atLeast: number, { utilization, machineVcpus }: Assumptions): PartPlan {
  const vcpus = cores / utilization;
  const vcpusEach = Math.min(machineVcpus, sizeFor(vcpus / atLeast));
  return { cores, vcpusEach, machines: Math.max(atLeast, Math.ceil(vcpus / vcpusEach)), partitions: 1 };
}

/** Each partition a primary and its replicas, of one size: any of them may become the primary. */
function sharded(primary: number, reads: number, topShare: number, assumed: Assumptions): PartPlan {
  const { utilization, largestMachineVcpus, copies } = assumed;
  const readsOfOne = reads / Math.max(1, copies - 1);
  const vcpusIn = (partitions: number): number =>
    Math.max(primary * hottestShare(topShare, partitions), readsOfOne / partitions) / utilization;
  const partitions = fewest((count) => vcpusIn(count) <= largestMachineVcpus);
  return { cores: primary + reads, vcpusEach: sizeFor(vcpusIn(partitions)), machines: partitions * copies, partitions };
}

/** Each node of the quorum does the work of the one that was measured. */
function quorum(cores: number, messages: number, topShare: number, assumed: Assumptions): PartPlan {
  const { utilization, machineVcpus, copies, queueMessagesPerSecond } = assumed;
  const all = cores * copies;
  const partitions = fewest((count) => messages * hottestShare(topShare, count) <= queueMessagesPerSecond);
  const vcpusEach = Math.min(machineVcpus, sizeFor(all / utilization / copies));
  return { cores: all, vcpusEach, machines: Math.max(copies, Math.ceil(all / utilization / vcpusEach)), partitions };
}

const MOST_PARTITIONS = 10_000;

/** @throws RangeError the most popular item alone is too much for one partition: more of them do not help */
function fewest(isEnough: (partitions: number) => boolean): number {
  for (let count = 1; count <= MOST_PARTITIONS; count += 1) if (isEnough(count)) return count;
  throw new RangeError('the most popular item alone is too much for one partition');
}

/** One thread serves a Redis; beside each shard stands its replica. */
function singleThreads(cores: number, { utilization }: Assumptions): PartPlan {
  const partitions = Math.max(1, Math.ceil(cores / utilization));
  return { cores, vcpusEach: 2, machines: partitions * 2, partitions };
}

function storedGigabytes(
  { bytesPerRow, rowsPerInteraction }: UnitCosts,
  { activeItems }: Traffic,
  writesPerSecond: number,
  assumed: Assumptions,
): Record<SizedTable, number> {
  const perDay = writesPerSecond * SECONDS_PER_DAY;
  const buckets = activeItems * assumed.typesPerBucket;
  // A bucket that nobody met is no row.
  const bucketsOf = (perItem: number): number => Math.min(perDay, buckets * perItem);
  const rows: Record<SizedTable, number> = {
    interactions: perDay * assumed.retentionDays,
    people: perDay * assumed.retentionDays * rowsPerInteraction.people,
    reactions: perDay * assumed.rollupDays * rowsPerInteraction.reactions,
    minutes: bucketsOf(assumed.activeHours * assumed.activeMinutesPerHour) * MINUTES_KEPT_DAYS,
    hours: bucketsOf(assumed.activeHours) * assumed.rollupDays,
    days: bucketsOf(1) * assumed.rollupDays,
    totals: buckets,
  };
  const gigabytes = (table: SizedTable): number =>
    (rows[table] * (bytesPerRow[table].heap + bytesPerRow[table].indexes)) / GIGABYTE;
  return {
    interactions: gigabytes('interactions'),
    people: gigabytes('people'),
    reactions: gigabytes('reactions'),
    minutes: gigabytes('minutes'),
    hours: gigabytes('hours'),
    days: gigabytes('days'),
    totals: gigabytes('totals'),
  };
}

/** The next power of two, as machines come; at least two. */
function sizeFor(vcpus: number): number {
  return Math.max(2, 2 ** Math.ceil(Math.log2(Math.max(1, vcpus))));
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}
