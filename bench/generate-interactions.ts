import { createRandom, createWeightedPick } from '../src/demo/random.ts';
import { newInteractionIdAt } from '../src/interactions/interaction-id.ts';
import type { Interaction, InteractionType } from '../src/interactions/interaction.ts';
import { viewerKeyOf } from '../src/interactions/viewer-key.ts';

export const BENCH_ITEMS = 10_000;
const VIEWERS = 100_000;
const SPREAD_MS = 60_000;
/** Of a hundred interactions. */
const MIX: readonly (readonly [InteractionType, number])[] = [
  ['VIEW', 84],
  ['LIKE', 7],
  ['SAVE', 3],
  ['COMMENT', 3],
  ['SHARE', 2],
  ['PURCHASE', 1],
];
const RETRACTED = 0.05;

/** The last minute of a busy site: items by Zipf's law, mostly views, and one reaction in twenty taken back. */
export function generateInteractions(count: number, seed: number): Interaction[] {
  const random = createRandom(seed);
  const nowMs = Date.now();
  const pickItem = createWeightedPick(
    Array.from({ length: BENCH_ITEMS }, (_, rank) => 1 / (rank + 1)),
    random,
  );
  const pickType = createWeightedPick(
    MIX.map(([, weight]) => weight),
    random,
  );
  return Array.from({ length: count }, (_, index) => {
    const type = MIX[pickType()]?.[0] ?? 'VIEW';
    const atMs = nowMs - SPREAD_MS + Math.floor((SPREAD_MS * index) / count);
    return {
      id: newInteractionIdAt(atMs),
      itemId: `item-${pickItem() + 1}`,
      viewer: viewerKeyOf({ userId: `user-${Math.floor(random() * VIEWERS)}` }),
      type,
      retraction: (type === 'LIKE' || type === 'SAVE') && random() < RETRACTED,
      metadata: null,
      acceptedAtMs: atMs,
    };
  });
}
