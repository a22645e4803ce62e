/** What one look at a part gives, or why there was nothing to see. */
export type Looked<T> = { readonly up: true; readonly value: T } | { readonly up: false; readonly fault: string };

/** How far a count goes: a backlog of millions must not cost a scan of it every two seconds. */
export const MAX_COUNT = 100_000;

export interface PrimaryGauges {
  readonly answersInMs: number;
  readonly connections: number;
  readonly maxConnections: number;
  /** Since the last restart, all databases' sessions of this one. */
  readonly commits: number;
  /** At most MAX_COUNT, as `rejected`. */
  readonly outbox: number;
  readonly rejected: number;
  /** Age of what popularItems answers with; null before the first pass. */
  readonly standingsAgeMs: number | null;
}

export interface ReplicaGauges {
  readonly name: string;
  readonly lag: Looked<{ readonly lagMs: number }>;
}

export interface QueueGauges {
  /** Waiting, not yet handed to a worker. */
  readonly ready: number;
  readonly consumers: number;
}

/** The parts around the processes, at one time. */
export interface PartGauges {
  readonly primary: Looked<PrimaryGauges>;
  readonly replicas: readonly ReplicaGauges[];
  /** Null: not configured, as `cache`. */
  readonly queue: Looked<QueueGauges> | null;
  readonly cache: Looked<{ readonly answersInMs: number }> | null;
}

/** Looks at every configured part. Never rejects, and ends within some seconds whoever is away. */
export interface PartWatcher {
  look(): Promise<PartGauges>;
  close(): Promise<void>;
}
