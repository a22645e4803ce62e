import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { createRandom } from '../../src/demo/random.ts';

/** What both stacks hold before the load: the same items, and the same week behind them. */
export interface History {
  readonly items: string;
  readonly interactions: string;
}

export const ITEMS = 1_000;
const CATEGORIES = 8;
/** Nobody looks at one before it has shown to the probe. */
export const PROBED_ITEMS: readonly string[] = Array.from({ length: 600 }, (_, n) => `probe-${n}`);
/** As many of them as a list of their category has room for. */
export const PROBED_TOGETHER = 50;
const PEOPLE = 20_000;
const DAYS = 6.5;
const TYPES = ['VIEW', 'VIEW', 'VIEW', 'VIEW', 'VIEW', 'VIEW', 'VIEW', 'COMMENT', 'SHARE', 'PURCHASE'];

/** CSV files in `folder`, as `npm run import` takes them. Ends an hour ago, so that nothing of it is the load's. */
export async function writeHistory(folder: string, interactions: number): Promise<History> {
  const files = { items: join(folder, 'items.csv'), interactions: join(folder, 'interactions.csv') };
  await writeLines(files.items, itemLines());
  await writeLines(files.interactions, interactionLines(interactions, Date.now() - 3_600_000));
  return files;
}

function* itemLines(): Generator<string> {
  yield 'id,title,category,imageUrl';
  for (let n = 1; n <= ITEMS; n += 1) {
    yield `item-${n},The ${n}th of the titles,category-${n % CATEGORIES},https://images.example.com/${n}.jpg`;
  }
  for (const item of PROBED_ITEMS) {
    yield `${item},What the probe looks at,${probedCategory(item)},https://images.example.com/probe.jpg`;
  }
}

export function probedCategory(item: string): string {
  return `probe-${Math.floor(PROBED_ITEMS.indexOf(item) / PROBED_TOGETHER)}`;
}

function* interactionLines(count: number, endMs: number): Generator<string> {
  const next = createRandom(7);
  yield 'itemId,userId,type,occurredAt';
  for (let n = 0; n < count; n += 1) {
    const at = new Date(endMs - ((count - n) / count) * DAYS * 86_400_000).toISOString();
    const item = 1 + Math.floor(ITEMS * next() ** 3);
    yield `item-${item},person-${Math.floor(next() * PEOPLE)},${TYPES[n % TYPES.length]},${at}`;
  }
}

async function writeLines(file: string, lines: Iterable<string>): Promise<void> {
  const stream = createWriteStream(file);
  for (const line of lines) if (!stream.write(`${line}\n`)) await once(stream, 'drain');
  stream.end();
  await once(stream, 'finish');
}
