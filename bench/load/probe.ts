import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { newInteractionId } from '../../src/interactions/interaction-id.ts';
import type { LedgerEntry } from './ledger.ts';
import type { FreshnessProbe } from './loaded-system.ts';

export interface Sighting {
  /** Since the epoch, in seconds. */
  readonly at: number;
  /** From the answer to the write until the list for everybody counts it. */
  readonly seconds: number;
}

export interface Probed {
  readonly sightings: readonly Sighting[];
  readonly entries: readonly LedgerEntry[];
  readonly faults: readonly string[];
}

const EVERY_MS = 500;
const LOOK_EVERY_MS = 25;
/** What is not seen by then counts as seen then. */
const GIVE_UP_SECONDS = 30;

/** One view after another, each looked for until it shows, until `signal`. */
export async function probeFreshness(probe: FreshnessProbe, signal: AbortSignal): Promise<Probed> {
  const sightings: Sighting[] = [];
  const entries: LedgerEntry[] = [];
  const faults: string[] = [];
  for (let sent = await probe.shown(); !signal.aborted; await delay(EVERY_MS)) {
    const [id, viewer] = [newInteractionId(), randomUUID()];
    const entry = { id, viewer, item: probe.item, type: 'VIEW', retraction: false };
    try {
      await probe.write(id, viewer);
    } catch (error) {
      entries.push({ ...entry, outcome: 'unknown' });
      faults.push(String(error));
      continue;
    }
    entries.push({ ...entry, outcome: 'accepted' });
    sent += 1;
    const acceptedAt = performance.now();
    const elapsed = (): number => (performance.now() - acceptedAt) / 1_000;
    while (elapsed() < GIVE_UP_SECONDS && !((await probe.shown().catch(() => 0)) >= sent)) await delay(LOOK_EVERY_MS);
    sightings.push({ at: Date.now() / 1_000 - elapsed(), seconds: elapsed() });
  }
  return { sightings, entries, faults };
}
