import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '../../test/servers/wait-for.ts';
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
/** What is not seen by then counts as seen then. */
const UNTIL_SHOWN = { everyMs: 25, deadlineMs: 30_000 };

/** One view after another, each looked for until it shows, until `signal`. */
export async function probeFreshness(probe: FreshnessProbe, signal: AbortSignal): Promise<Probed> {
  const sightings: Sighting[] = [];
  const entries: LedgerEntry[] = [];
  const faults: string[] = [];
  let sent = await probe.shown();
  for (; !signal.aborted; await delay(EVERY_MS)) {
    const [id, viewer] = [newInteractionId(), randomUUID()];
    const entry = { id, viewer, item: probe.item, type: 'VIEW', retraction: false };
    const outcome = await probe.write(id, viewer).then(
      () => 'accepted' as const,
      (error: unknown) => {
        faults.push(String(error));
        return 'unknown' as const;
      },
    );
    entries.push({ ...entry, outcome });
    const acceptedAt = performance.now();
    sent += 1;
    const isShown = await waitFor('the view to show', async () => (await probe.shown()) >= sent, UNTIL_SHOWN).then(
      () => true,
      () => false,
    );
    const seconds = (performance.now() - acceptedAt) / 1_000;
    if (outcome === 'accepted') sightings.push({ at: Date.now() / 1_000 - seconds, seconds });
    // What was not answered may count all the same, and then the next is not seen before it is there.
    else if (!isShown) sent -= 1;
  }
  return { sightings, entries, faults };
}
