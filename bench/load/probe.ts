import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '../../test/servers/wait-for.ts';
import { newInteractionId } from '../../src/interactions/interaction-id.ts';
import { PROBED_ITEMS } from './history.ts';
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

const LEAST_PAUSE_MS = 500;
/** What is not seen by then counts as seen then. */
const UNTIL_SHOWN = { everyMs: 50, deadlineMs: 30_000 };

/** The first view of one item after another, each looked for until it shows, until `signal`: for so many seconds about. */
export async function probeFreshness(probe: FreshnessProbe, seconds: number, signal: AbortSignal): Promise<Probed> {
  const sightings: Sighting[] = [];
  const entries: LedgerEntry[] = [];
  const faults: string[] = [];
  const pauseMs = Math.max(LEAST_PAUSE_MS, (seconds * 1_000) / PROBED_ITEMS.length);
  for (const item of PROBED_ITEMS) {
    if (signal.aborted) break;
    const [id, viewer] = [newInteractionId(), randomUUID()];
    const entry = { id, viewer, item, type: 'VIEW', retraction: false };
    try {
      await probe.write(id, viewer, item);
      entries.push({ ...entry, outcome: 'accepted' });
      const acceptedAt = performance.now();
      await waitFor('the view to show', () => probe.shows(item), UNTIL_SHOWN).catch(() => undefined);
      const took = (performance.now() - acceptedAt) / 1_000;
      sightings.push({ at: Date.now() / 1_000 - took, seconds: took });
    } catch (error) {
      faults.push(String(error));
      entries.push({ ...entry, outcome: 'unknown' });
    }
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
  }
  return { sightings, entries, faults };
}
