import { INTERACTION_TYPES, type InteractionType } from '../../../interactions/interaction.ts';
import type { PopularityWindow, Ranking } from '../../../popularity/ranking.ts';

export const ranking = {
  weights: ({ weights }: Ranking): { type: InteractionType; weight: number }[] =>
    INTERACTION_TYPES.flatMap((type) => {
      const weight = weights.get(type);
      return weight === undefined ? [] : [{ type, weight }];
    }),
  counts: ({ counts }: Ranking): string => counts.toUpperCase(),
  defaultWindow: ({ window }: Ranking): PopularityWindow | null => window,
};
