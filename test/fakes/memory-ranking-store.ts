import type { Ranking, RankingStore } from '../../src/popularity/ranking.ts';
import type { InteractionType } from '../../src/interactions/interaction.ts';

const WEIGHTS: [InteractionType, number][] = [
  ['VIEW', 1],
  ['LIKE', 3],
  ['PURCHASE', 10],
];

export const RANKINGS: readonly Ranking[] = [
  {
    name: 'popular',
    description: 'People.',
    weights: new Map(WEIGHTS),
    counts: 'people',
    window: 'WEEK',
    halfLifeHours: null,
  },
  {
    name: 'trending',
    description: 'Decays.',
    weights: new Map(WEIGHTS),
    counts: 'people',
    window: null,
    halfLifeHours: 24,
  },
];

export function createMemoryRankingStore(rankings: readonly Ranking[] = RANKINGS): RankingStore {
  let current = [...rankings];
  return {
    list: async () => current,
    async replaceAll(replacement) {
      current = [...replacement];
    },
  };
}
