import { derivedInteractionId } from '../interactions/interaction-id.ts';
import { isReactionType, type Interaction, type InteractionType } from '../interactions/interaction.ts';
import { viewerKeyOf } from '../interactions/viewer-key.ts';
import type { DemoBook } from './demo-books.ts';
import { createRandom, createWeightedPick } from './random.ts';

const INTERACTIONS = 6_000;
const PEOPLE = 1_500;
const SEED = 20_261_101;
const MONTH_MS = 30 * 86_400_000;
/** One book in so many is new to people: most of what happens to it happened lately. */
const RISING_ONE_IN = 12;

/**
 * What people did to the books in the 30 days before `nowMs`: each book as often as it really was rated, liked as it was
 * liked, written of as it was reviewed. The same `nowMs` gives the same interactions.
 */
export function drawDemoInteractions(books: readonly DemoBook[], nowMs: number): Interaction[] {
  const random = createRandom(SEED);
  const rising = books.map(() => random() * RISING_ONE_IN < 1);
  const pickBook = createWeightedPick(
    books.map(({ ratings }) => ratings ** 0.8),
    random,
  );
  const interactions: Interaction[] = [];
  while (interactions.length < INTERACTIONS) {
    const index = pickBook();
    const book = books[index];
    if (book === undefined) continue;
    // Squared: more happens now than a month ago, so that the last hour has something to show.
    const age = random() ** (rising[index] === true ? 8 : 1.6);
    const atMs = Math.floor(nowMs - 1_000 - age * (MONTH_MS - 2_000));
    const person = `demo-${Math.floor(random() * PEOPLE)}`;
    const type = drawType(book, random);
    const { id: itemId } = book.item;
    const number = isReactionType(type) ? 0 : interactions.length;
    interactions.push({
      id: derivedInteractionId(atMs, `demo ${number} ${person} ${type} ${atMs} ${itemId}`),
      itemId,
      viewer: viewerKeyOf({ deviceId: person }),
      type,
      retraction: false,
      metadata: null,
      acceptedAtMs: nowMs,
    });
  }
  return interactions;
}

function drawType({ ratings, liked, reviews }: DemoBook, random: () => number): InteractionType {
  if (random() < 0.62) return 'VIEW';
  // Shares of liked ratings lie between a half and nearly all; the power spreads them.
  if (random() < (liked / ratings) ** 3) return random() < 0.75 ? 'LIKE' : 'SAVE';
  if (random() < Math.min(0.8, (8 * reviews) / ratings)) return 'COMMENT';
  return random() < 0.75 ? 'SHARE' : 'PURCHASE';
}
