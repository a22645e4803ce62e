import type { LedgerEntry } from './ledger.ts';
import type { RecordedRow } from './loaded-system.ts';

export interface LedgerVerdict {
  readonly accepted: number;
  readonly recorded: number;
  /** Accepted, and not there. */
  readonly lost: number;
  /** There more than once. */
  readonly doubled: number;
  /** There with another viewer, item or type. */
  readonly changed: number;
  /** There, and refused or never sent. */
  readonly invented: number;
  /** Nobody was told, and it is there. */
  readonly unknownRecorded: number;
  readonly unknown: number;
  /** A few ids of each fault, to look into. */
  readonly examples: readonly string[];
}

/** What the database holds against what was answered. */
export function compareLedger(
  ledger: ReadonlyMap<string, LedgerEntry>,
  rows: readonly RecordedRow[],
  viewerOf: (viewer: string) => string,
): LedgerVerdict {
  const times = new Map<string, number>();
  const faults = { lost: [] as string[], doubled: [] as string[], changed: [] as string[], invented: [] as string[] };
  let unknownRecorded = 0;
  for (const row of rows) {
    const seen = (times.get(row.id) ?? 0) + 1;
    times.set(row.id, seen);
    const entry = ledger.get(row.id);
    if (seen === 2) faults.doubled.push(row.id);
    if (seen > 1) continue;
    if (entry === undefined || entry.outcome === 'refused') faults.invented.push(row.id);
    else if (!isSame(entry, row, viewerOf)) faults.changed.push(row.id);
    if (entry?.outcome === 'unknown') unknownRecorded += 1;
  }
  const entries = [...ledger.values()];
  const accepted = entries.filter(({ outcome }) => outcome === 'accepted');
  for (const { id } of accepted) if (!times.has(id)) faults.lost.push(id);
  return {
    accepted: accepted.length,
    recorded: rows.length,
    lost: faults.lost.length,
    doubled: faults.doubled.length,
    changed: faults.changed.length,
    invented: faults.invented.length,
    unknown: entries.filter(({ outcome }) => outcome === 'unknown').length,
    unknownRecorded,
    examples: Object.entries(faults).flatMap(([fault, ids]) => ids.slice(0, 3).map((id) => `${fault} ${id}`)),
  };
}

function isSame(entry: LedgerEntry, row: RecordedRow, viewerOf: (viewer: string) => string): boolean {
  return (
    row.item === entry.item &&
    row.type === entry.type &&
    row.retraction === entry.retraction &&
    row.viewer === viewerOf(entry.viewer)
  );
}
