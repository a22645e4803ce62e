import type { CountsByType } from '../../../interactions/interaction-reader.ts';
import { INTERACTION_TYPES, type InteractionType } from '../../../interactions/interaction.ts';

/** GraphQL's Int ends here; beyond it, an answer that is a little low beats an error. */
export const MAX_INT = 2 ** 31 - 1;

export interface InteractionCount {
  readonly type: InteractionType;
  readonly count: number;
}

/** Types that occur, in the enum's order. */
export function interactionCounts(counts: CountsByType): InteractionCount[] {
  return INTERACTION_TYPES.flatMap((type) => {
    const count = counts.get(type) ?? 0;
    return count > 0 ? [{ type, count: Math.min(count, MAX_INT) }] : [];
  });
}
