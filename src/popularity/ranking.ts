import type { InteractionType } from '../interactions/interaction.ts';

export const POPULARITY_WINDOWS = ['HOUR', 'DAY', 'WEEK', 'MONTH', 'ALL_TIME'] as const;
export type PopularityWindow = (typeof POPULARITY_WINDOWS)[number];

/** A named recipe, kept as data. */
export interface Ranking {
  readonly name: string;
  readonly description: string;
  /** Positive; types that are left out do not count. */
  readonly weights: ReadonlyMap<InteractionType, number>;
  /** Each person once per item, type and clock hour, or every event. */
  readonly counts: 'people' | 'events';
  /** The window it uses when none is asked for; null for a ranking with a half-life. */
  readonly window: PopularityWindow | null;
  /** Hours after which a share counts half; null for a ranking with a window. Exactly one of the two is set. */
  readonly halfLifeHours: number | null;
}

export interface RankingStore {
  list(): Promise<Ranking[]>;
  /** Replaces the whole set in one transaction. */
  replaceAll(rankings: readonly Ranking[]): Promise<void>;
}
