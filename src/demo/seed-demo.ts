import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { InteractionRecorder, RecordEntry } from '../interactions/recorder.ts';
import { encodeMessage } from '../interactions/message.ts';
import type { ItemStore } from '../items/item-store.ts';
import type { StandingsRefresher } from '../popularity/standings.ts';
import { readDemoBooks } from './demo-books.ts';
import { drawDemoInteractions } from './demo-interactions.ts';

const BATCH = 2_000;
/** In the data folder while the demo is being made: the time that it is made for, so that a start after a kill makes the same. */
const UNFINISHED_FILE = 'demo-unfinished';

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
 * included, and goes on where an earlier process was killed at it. Null, and nothing done, when there is any item else.
 * @throws UnavailableError
 */
export async function seedDemo(ports: DemoPorts, dataDir: string): Promise<SeededDemo | null> {
  const file = join(dataDir, UNFINISHED_FILE);
  const begunAtMs = Number(await readFile(file, 'utf8').catch(() => '')) || null;
  if (begunAtMs === null && !(await ports.items.isEmpty())) return null;
  const nowMs = begunAtMs ?? Date.now();
  await writeFile(file, String(nowMs));
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
  await rm(file);
  return { items: books.length, interactions: interactions.length };
}
