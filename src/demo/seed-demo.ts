import type { InteractionRecorder, RecordEntry } from '../interactions/recorder.ts';
import { encodeMessage } from '../interactions/message.ts';
import type { ItemStore } from '../items/item-store.ts';
import type { StandingsRefresher } from '../popularity/standings.ts';
import { readDemoBooks } from './demo-books.ts';
import { drawDemoInteractions } from './demo-interactions.ts';

const BATCH = 2_000;

export interface DemoPorts {
  readonly items: Pick<ItemStore, 'isEmpty' | 'upsert'>;
  readonly recorder: Pick<InteractionRecorder, 'record'>;
  readonly standings: StandingsRefresher;
}

export interface SeededDemo {
  readonly items: number;
  readonly interactions: number;
}

/**
 * Fills an empty catalogue with 200 real books and what people might have done to them in the last 30 days, standings
 * included. Null, and nothing done, when there is any item. @throws UnavailableError
 */
export async function seedDemo(ports: DemoPorts, nowMs: number = Date.now()): Promise<SeededDemo | null> {
  if (!(await ports.items.isEmpty())) return null;
  const books = await readDemoBooks();
  await ports.items.upsert(books.map(({ item }) => item));
  const interactions = drawDemoInteractions(books, nowMs);
  for (let from = 0; from < interactions.length; from += BATCH) {
    const batch = interactions.slice(from, from + BATCH);
    await ports.recorder.record(
      batch.map((interaction): RecordEntry => ({ interaction, body: encodeMessage(interaction), outboxSeq: null })),
    );
  }
  for (;;) {
    const { led, more } = await ports.standings.refresh();
    if (!led || !more) break;
  }
  return { items: books.length, interactions: interactions.length };
}
