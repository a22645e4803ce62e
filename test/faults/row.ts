import type { SystemUnderFault } from './system-under-fault.ts';
import type { Ledger } from './ledger.ts';
import type { Traffic } from './traffic.ts';
import type { Reading } from './reading.ts';

/** A line of the table: one fault, and what has to hold while and after it lasts. */
export interface Row {
  /** For `--only`; also begins the ids of its items. */
  readonly name: string;
  readonly fault: string;
  run(arena: Arena): Promise<void>;
}

/** What a row acts in. */
export interface Arena {
  readonly system: SystemUnderFault;
  readonly isQuick: boolean;
  /** The row's own, from the seed. */
  readonly random: () => number;
  /** Nobody else's. */
  readonly items: readonly string[];
  readonly ledger: Ledger;
  /** Writes until the end of the row, unless stopped before. */
  write(options?: {
    url?: string;
    clients?: number;
    gapMs?: number;
    byKey?: boolean;
    large?: boolean;
    resends?: boolean;
  }): Traffic;
  read(options?: { url?: string; clients?: number; gapMs?: number }): Reading;
  /** The fault is over: resolves once every part is ready and all that was accepted until now is recorded. */
  recovers(): Promise<void>;
  /** What has to hold beside 0 lost, 0 duplicated. */
  holds(what: string, isMet: boolean, value: string): void;
  /** Holds when it took less than the limit, or so many times the limit as the run allows a slow machine. */
  tookLess(what: string, tookMs: number, limitMs: number): void;
  /** The quantile that stands for nearly all: of the few that are sent in short the last one is whatever else ran. */
  readonly nearlyAll: number;
  /** A whole number from `from` to below `to`. */
  between(from: number, to: number): number;
  wait(ms: number): Promise<void>;
  /** How many interactions of this row are recorded. */
  countRecorded(): Promise<number>;
}

export interface RowResult {
  readonly name: string;
  readonly fault: string;
  readonly sent: number;
  readonly accepted: number;
  /** Told to try again. */
  readonly refused: number;
  readonly lost: number;
  /** Recorded more often than once, otherwise than sent, or never sent. */
  readonly duplicated: number;
  /** Counts that differ from a recount of the raw rows. */
  readonly drift: number;
  readonly worstMs: number;
  /** The longest, where there were several faults. */
  readonly recoverySeconds: number;
  readonly conditions: readonly { readonly what: string; readonly isMet: boolean; readonly value: string }[];
  /** What is wrong, one line each; none when the row holds. */
  readonly failures: readonly string[];
  readonly tookSeconds: number;
}
