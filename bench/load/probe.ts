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
  let sent = await probe.shown();
  for (; !signal.aborted; await delay(EVERY_MS)) {
    const [id, viewer] = [newInteractionId(), randomUUID()];
    const entry = { id, viewer, item: probe.item, type: 'VIEW', retraction: false };
    const wasAccepted = await probe.write(id, viewer).then(
      () => true,
      (error: unknown) => (faults.push(String(error)), false),
    );
    entries.push({ ...entry, outcome: wasAccepted ? 'accepted' : 'unknown' });
    const acceptedAt = performance.now();
    const elapsed = (): number => (performance.now() - acceptedAt) / 1_000;
    sent += 1;
    let shown = 0;
    while (shown < sent && elapsed() < GIVE_UP_SECONDS) {
      shown = await probe.shown().catch(() => 0);
      if (shown < sent) await delay(LOOK_EVERY_MS);
    }
    if (wasAccepted) sightings.push({ at: Date.now() / 1_000 - elapsed(), seconds: elapsed() });
    // What was not answered may count all the same, and then the next is not seen before it is there.
    else if (shown < sent) sent -= 1;
  }
  return { sightings, entries, faults };
}
