import { messageOf } from '../runtime/errors.ts';
import type { Interaction } from './interaction.ts';

export type RejectionReason = 'INVALID_MESSAGE' | 'NEWER_VERSION' | 'ITEM_NOT_FOUND' | 'ID_REUSED' | 'RECORD_FAILED';

export interface RecordEntry {
  readonly interaction: Interaction;
  /** The message as it came, kept if the interaction is rejected. */
  readonly body: Uint8Array;
  /** Deleted in the same transaction; null when the message came from the broker or a file. */
  readonly outboxSeq: bigint | null;
}

export interface RejectedEntry {
  readonly body: Uint8Array;
  readonly outboxSeq: bigint | null;
  readonly reason: RejectionReason;
  readonly detail: string;
  /** What could be read of the message. */
  readonly interaction: Interaction | null;
}

export interface RecordResult {
  /** Interactions that are new, and counted. */
  readonly recorded: number;
  /** Known already: no effect. */
  readonly duplicates: number;
  /** Sent before their viewer was erased: no effect, not kept. */
  readonly discarded: readonly Interaction[];
  /** Kept in the rejected table, with these reasons. */
  readonly rejected: readonly RejectedEntry[];
  /** Outbox rows that another worker holds or has recorded; nothing was done with them. */
  readonly skipped: number;
}

/** The rows themselves cannot be stored: retrying the same batch fails again. Bisect it. */
export class PoisonBatchError extends Error {
  readonly code = 'POISON_BATCH';

  constructor(cause: unknown) {
    super(messageOf(cause), { cause });
    this.name = 'PoisonBatchError';
  }
}

export interface InteractionRecorder {
  /**
   * Rows, people, reactions and rollups of the batch in one transaction, from fresh rows only; an id that was recorded
   * before counts nowhere. Unknown items and reused ids go to the rejected table in the same transaction, and with them
   * what is `rejected` already.
   * @throws UnavailableError nothing was recorded, or it is unknown; the same batch may be tried again
   * @throws PoisonBatchError nothing was recorded and never will be: some row of the batch is at fault
   */
  record(batch: readonly RecordEntry[], rejected?: readonly RejectedEntry[]): Promise<RecordResult>;
  /** Keeps each in the rejected table, once per body, and deletes their outbox rows, in one transaction. */
  reject(entries: readonly RejectedEntry[]): Promise<void>;
}
