import type { LedgerEntry } from '../../bench/load/ledger.ts';

export interface Sent extends Omit<LedgerEntry, 'outcome'> {
  /** Of the one that it is about, as it stands in requests. */
  readonly viewer: string;
}

/** Every interaction that a row sent, and what was answered. */
export interface Ledger {
  sent(interaction: Sent): void;
  accepted(id: string): void;
  /** Told to try again: nothing is promised, and it may be recorded all the same. */
  refused(id: string): void;
  acceptedIds(): string[];
  entries(): ReadonlyMap<string, LedgerEntry>;
  counts(): { readonly sent: number; readonly accepted: number; readonly refused: number };
}

export function createLedger(): Ledger {
  const entries = new Map<string, { -readonly [K in keyof LedgerEntry]: LedgerEntry[K] }>();
  const refused = new Set<string>();
  return {
    sent: (interaction) => void entries.set(interaction.id, { ...interaction, outcome: 'unknown' }),
    accepted(id) {
      const entry = entries.get(id);
      if (entry === undefined) throw new Error(`${id} was accepted and never sent`);
      entry.outcome = 'accepted';
      refused.delete(id);
    },
    refused(id) {
      // A retry of what was accepted before takes nothing back.
      if (entries.get(id)?.outcome === 'unknown') refused.add(id);
    },
    acceptedIds: () => [...entries.values()].flatMap(({ id, outcome }) => (outcome === 'accepted' ? [id] : [])),
    entries: () => entries,
    counts() {
      let accepted = 0;
      for (const { outcome } of entries.values()) if (outcome === 'accepted') accepted += 1;
      return { sent: entries.size, accepted, refused: refused.size };
    },
  };
}
