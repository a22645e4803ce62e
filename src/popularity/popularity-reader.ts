import type { InteractionType } from '../interactions/interaction.ts';
import type { CountsByType } from '../interactions/interaction-reader.ts';
import type { ReadPoint } from '../runtime/read-point.ts';
import type { PopularityWindow, Ranking } from './ranking.ts';

/** Pages go this deep: ranks 1 to 1,000. */
export const MAX_DEPTH = 1_000;

export interface RankedItem {
  readonly itemId: string;
  /** As of the page's `asOf`; a decayed score of long ago may be 0. */
  readonly score: number;
  readonly people: number;
  /** What the order is by: the score, or log2 of the forward-decayed sum, which does not change with time. */
  readonly sortKey: number;
}

/** A stretch of a list. */
export interface RankedRows {
  /** All that was recorded before it is in them; the time asked for, where one was. */
  readonly asOf: Date;
  readonly items: readonly RankedItem[];
}

/** A place in an order by descending sort key, then ascending item id in code-point order. */
export interface Position {
  readonly sortKey: number;
  readonly itemId: string;
}

export interface SummedRanking {
  readonly ranking: Ranking;
  /** Null exactly for a ranking with a half-life. */
  readonly window: PopularityWindow | null;
  /** Null: the ranking's own types. */
  readonly types: readonly InteractionType[] | null;
  /** Null: all. */
  readonly category: string | null;
  /** Null: now, which is the time up to which the server that answers has everything. */
  readonly asOf: Date | null;
}

/** Reads of popularity. They never touch raw interactions. */
export interface PopularityReads {
  /**
   * Up to `limit` rows after `after` of the standing for now. Null when this ranking has no standing yet (just applied).
   * A category nobody has is an empty page.
   */
  standings(
    ranking: Ranking,
    window: PopularityWindow | null,
    category: string | null,
    after: Position | null,
    limit: number,
  ): Promise<RankedRows | null>;
  /** The first MAX_DEPTH rows, summed from rollups: for the past and for a filter by type. Costs as much as is active. */
  sum(query: SummedRanking): Promise<RankedRows>;
  /** Events by type (reactions: those that stand) of each item in the window that ends with the bucket of `asOf`. */
  counts(itemIds: readonly string[], window: PopularityWindow, asOf: Date): Promise<Map<string, CountsByType>>;
}

/** From a replica within the lag limit. */
export interface PopularityReader extends PopularityReads {
  /** The same from a replica that has itself replayed all up to `point`, else from the primary. */
  past(point: ReadPoint): PopularityReads;
}
