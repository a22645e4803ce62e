import type { ReadPoint } from '../runtime/read-point.ts';
import type { RejectionReason } from './recorder.ts';
import type { ViewerKey } from './viewer-key.ts';

export interface SettledWrite {
  readonly id: string;
  /** Null for what was rejected before anybody could tell. */
  readonly viewer: ViewerKey | null;
  /** Null: recorded. */
  readonly rejectedReason: RejectionReason | null;
}

/** All of one moment. */
export interface WriteProgress {
  /** Those of the ids that are recorded or rejected by now; one id may be both. */
  readonly settled: readonly SettledWrite[];
  /**
   * Recorded changes are numbered until the standings have taken them in, roughly in order: the lowest and the highest
   * number that still wait, null when none does.
   */
  readonly waiting: { readonly lowest: bigint; readonly highest: bigint } | null;
  /** Reads past it see all that is recorded and in the standings at this moment. */
  readonly point: ReadPoint;
}

/** How far accepted interactions have come, as the primary sees it. */
export interface WriteProgressReader {
  /** One statement, however many ids. @throws UnavailableError */
  look(ids: readonly string[]): Promise<WriteProgress>;
}
