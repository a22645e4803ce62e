import type { RejectionReason } from './recorder.ts';

export interface RejectedRow {
  readonly seq: bigint;
  readonly interactionId: string | null;
  readonly reason: RejectionReason;
  readonly detail: string;
  readonly rejectedAt: Date;
  readonly body: Uint8Array;
}

/** Selects rejected rows; no field set selects all. */
export interface RejectedFilter {
  readonly reason?: RejectionReason;
  readonly seqs?: readonly bigint[];
}

/** What could not be recorded, kept until somebody replays or discards it. */
export interface RejectedStore {
  list(filter: RejectedFilter, afterSeq: bigint, limit: number): Promise<RejectedRow[]>;
  /** Moves them into the outbox, from where any worker records them; how many. */
  replay(filter: RejectedFilter): Promise<number>;
  discard(filter: RejectedFilter): Promise<number>;
  /** How many wait, of the oldest 10,000. */
  countByReason(): Promise<ReadonlyMap<RejectionReason, number>>;
}
