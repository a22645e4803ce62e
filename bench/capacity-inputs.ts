/** What is not measured but assumed: change it to your own, then `npm run bench -- capacity-plan` writes the page anew. */
export interface Assumptions {
  readonly secondsBetweenActions: number;
  readonly readsPerWrite: number;
  /** Of the reads: of a signed-in viewer's own things, so never a whole answer from the cache. */
  readonly privateShare: number;
  /** A page that is asked for is made anew so often. */
  readonly cacheSeconds: number;
  /** Interactions fall to items by Zipf's law with this exponent. Web pages: 0.64 to 0.83 (Breslau and others, INFOCOM 1999). */
  readonly zipfExponent: number;
  /** Standings take in what was recorded at least so often. */
  readonly standingsSeconds: number;
  /** The hour that is planned for against the mean of the day, for what is stored. */
  readonly peakFactor: number;
  readonly utilization: number;
  readonly machineVcpus: number;
  readonly largestMachineVcpus: number;
  /** Batches that one worker process records at the same time. */
  readonly batchesAtOnce: number;
  readonly retentionDays: number;
  readonly rollupDays: number;
  /** Of an active item on a day. */
  readonly activeHours: number;
  readonly activeMinutesPerHour: number;
  readonly typesPerBucket: number;
  /** Postgres's primary and its replicas, RabbitMQ's quorum. */
  readonly copies: number;
  /** Of one quorum queue, persistent and confirmed: 25,000 to 34,000 were seen on two cores. */
  readonly queueMessagesPerSecond: number;
  /** Of PgBouncer's one thread, for an interaction from accepted to recorded, with what is asked all the time: docs/load/summary.md, 6.5 CPU seconds for 151,292, on slow cores. */
  readonly poolerMicrosecondsPerInteraction: number;
}

export const ASSUMPTIONS: Assumptions = {
  secondsBetweenActions: 10,
  readsPerWrite: 4,
  privateShare: 0.2,
  cacheSeconds: 0.5,
  zipfExponent: 0.8,
  standingsSeconds: 2,
  peakFactor: 2.5,
  utilization: 0.5,
  machineVcpus: 8,
  largestMachineVcpus: 64,
  batchesAtOnce: 2,
  retentionDays: 90,
  rollupDays: 365,
  activeHours: 6,
  activeMinutesPerHour: 10,
  typesPerBucket: 2,
  copies: 3,
  queueMessagesPerSecond: 25_000,
  poolerMicrosecondsPerInteraction: 43,
};

export interface Prices {
  readonly setOn: string;
  readonly currency: string;
  readonly vcpuHour: number;
  readonly gigabyteMonth: number;
}

/** Round figures, of the size that large clouds list for general machines on demand and for SSD volumes. */
export const PRICES: Prices = { setOn: '2026-11-24', currency: 'USD', vcpuHour: 0.04, gigabyteMonth: 0.1 };

export interface Traffic {
  readonly users: number;
  /** Items that somebody does something with on a day. */
  readonly activeItems: number;
  /** Different public answers that are asked for again and again. */
  readonly pages: number;
}

export const TRAFFIC: readonly Traffic[] = [
  { users: 2_000, activeItems: 10_000, pages: 200 },
  { users: 200_000, activeItems: 200_000, pages: 1_000 },
  { users: 20_000_000, activeItems: 5_000_000, pages: 5_000 },
];
