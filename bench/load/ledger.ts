import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** `unknown`: sent, and never answered by yes or no; it may be recorded, and once at most. */
export type Outcome = 'accepted' | 'refused' | 'unknown';

export interface LedgerEntry {
  readonly id: string;
  readonly viewer: string;
  readonly item: string;
  readonly type: string;
  readonly retraction: boolean;
  readonly outcome: Outcome;
}

type Line =
  | ({ readonly state: 'sent' } & Omit<LedgerEntry, 'outcome'>)
  | { readonly state: 'accepted' | 'refused'; readonly id: string };

/** All that the users of a run sent (locust/ledger.py), by id. */
export function readLedger(folder: string): Map<string, LedgerEntry> {
  const entries = new Map<string, LedgerEntry>();
  for (const name of readdirSync(folder).filter((name) => /^ledger-\d+\.ndjson$/.test(name))) {
    for (const line of readFileSync(join(folder, name), 'utf8').split('\n').filter(Boolean)) {
      enter(entries, JSON.parse(line));
    }
  }
  return entries;
}

function enter(entries: Map<string, LedgerEntry>, line: Line): void {
  if (line.state === 'sent') {
    const { state: _, ...interaction } = line;
    entries.set(line.id, { ...interaction, outcome: 'unknown' });
    return;
  }
  const sent = entries.get(line.id);
  if (sent === undefined) throw new Error(`the ledger has an answer for ${line.id}, which was not sent`);
  entries.set(line.id, { ...sent, outcome: line.state });
}
