import type { InteractionType } from '../../src/interactions/interaction.ts';
import type {
  PopularityReader,
  PopularityReads,
  Position,
  RankedItem,
  SummedRanking,
} from '../../src/popularity/popularity-reader.ts';
import type { PopularityWindow } from '../../src/popularity/ranking.ts';

export interface MemoryPopularityReader extends PopularityReader {
  /** The order that standings and sums give, best first. */
  rows: RankedItem[];
  /** False: no ranking has a standing yet. */
  ready: boolean;
  /** Of answers for now. */
  asOf: Date;
  readonly calls: {
    standings: { after: Position | null; limit: number; window: PopularityWindow | null; category: string | null }[];
    sum: SummedRanking[];
    counts: { itemIds: string[]; window: PopularityWindow; asOf: Date }[];
    past: string[];
  };
  /** What every call waits for. */
  gate: Promise<void>;
  fault: Error | null;
}

/** `ids` in order, with falling scores. */
export function rankedItems(ids: readonly string[]): RankedItem[] {
  return ids.map((itemId, index) => {
    const sortKey = 10_000 - index;
    return { itemId, score: sortKey, sortKey, people: ids.length - index };
  });
}

export function createMemoryPopularityReader(rows: RankedItem[] = []): MemoryPopularityReader {
  async function answer<T>(give: () => T): Promise<T> {
    await reader.gate;
    if (reader.fault !== null) throw reader.fault;
    return give();
  }
  const reader: MemoryPopularityReader = {
    rows,
    ready: true,
    asOf: new Date('2026-11-23T12:00:00.000Z'),
    calls: { standings: [], sum: [], counts: [], past: [] },
    gate: Promise.resolve(),
    fault: null,
    standings(_ranking, window, category, after, limit) {
      reader.calls.standings.push({ after, limit, window, category });
      return answer(() => {
        if (!reader.ready) return null;
        const items = reader.rows.filter((row) => after === null || comesAfter(row, after)).slice(0, limit);
        return { asOf: reader.asOf, items };
      });
    },
    sum(query) {
      reader.calls.sum.push(query);
      return answer(() => ({ asOf: query.asOf ?? reader.asOf, items: reader.rows }));
    },
    counts(itemIds, window, asOf) {
      reader.calls.counts.push({ itemIds: [...itemIds], window, asOf });
      const counts: [InteractionType, number][] = [
        ['LIKE', 2],
        ['VIEW', 5],
      ];
      return answer(() => new Map(itemIds.map((id) => [id, new Map(counts)])));
    },
    past(point): PopularityReads {
      reader.calls.past.push(point);
      return reader;
    },
  };
  return reader;
}

function comesAfter(row: RankedItem, { sortKey, itemId }: Position): boolean {
  return row.sortKey < sortKey || (row.sortKey === sortKey && row.itemId > itemId);
}
