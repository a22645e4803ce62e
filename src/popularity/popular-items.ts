import type { Cached, SwrCache } from '../cache/swr-cache.ts';
import type { CountsByType } from '../interactions/interaction-reader.ts';
import type { FoundItems } from '../items/catalogue.ts';
import type { CatalogueFollower } from '../items/catalogue-follower.ts';
import type { Item } from '../items/item.ts';
import type { ReadPoint } from '../runtime/read-point.ts';
import type { CurrentRankings } from './current-rankings.ts';
import { encodeCursor } from './cursor.ts';
import {
  MAX_DEPTH,
  type PopularityReader,
  type PopularityReads,
  type Position,
  type RankedItem,
  type RankedRows,
} from './popularity-reader.ts';
import { parsePopularQuery, type PopularArguments, type PopularQuery } from './popular-query.ts';
import type { PopularityWindow, Ranking } from './ranking.ts';
import type { SumSlots } from './sum-slots.ts';

export interface PopularRow {
  readonly rank: number;
  readonly cursor: string;
  readonly score: number;
  readonly people: number;
  readonly item: Item;
}

export interface PopularPage {
  readonly rows: readonly PopularRow[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  readonly ranking: string;
  /** Null for a ranking with a half-life. */
  readonly window: PopularityWindow | null;
  readonly asOf: Date;
  /** For how long an answer built on it may be kept. */
  readonly ttlMs: number;
}

export interface CountsOfItems {
  readonly counts: ReadonlyMap<string, CountsByType>;
  readonly ttlMs: number;
}

/** Popularity as clients ask for it, through the data cache. */
export interface PopularItems {
  /**
   * `findItems` gives the items of the page; what it does not give is left out. With `settled` the answer waits for it, is
   * read past that point, and no cache has a part in it. @throws PublicError BAD_USER_INPUT, SERVICE_BUSY
   */
  page(
    asked: PopularArguments,
    findItems: (ids: readonly string[]) => Promise<FoundItems>,
    settled: (() => Promise<ReadPoint>) | null,
  ): Promise<PopularPage>;
  counts(
    itemIds: readonly string[],
    window: PopularityWindow,
    asOf: Date,
    point: ReadPoint | null,
  ): Promise<CountsOfItems>;
}

export interface PopularItemsOptions {
  readonly reader: PopularityReader;
  readonly rankings: CurrentRankings;
  readonly follower: Pick<CatalogueFollower, 'generation' | 'hidden' | 'isHidden'>;
  readonly rowsCache: SwrCache<RankedRows | null>;
  readonly countsCache: SwrCache<CountsByType>;
  readonly slots: SumSlots;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** A lagging replica shows at most so many hidden items in a page before the page gets shorter. */
const MAX_SLACK = 100;
const NO_COUNTS: CountsByType = new Map();

export function createPopularItems(options: PopularItemsOptions): PopularItems {
  const { reader, rankings, follower, rowsCache, countsCache, slots, clock } = options;

  /** Rows after the cursor, one more than wanted if there are more. */
  async function rowsOf(
    query: PopularQuery,
    point: ReadPoint | null,
  ): Promise<RankedRows & { readonly ttlMs: number; readonly more: boolean }> {
    const { ranking, window, types, category, asOf, after, limit } = query;
    if (types === null && asOf === null) {
      const wanted = limit + 1 + Math.min(follower.hidden().size, MAX_SLACK);
      const key = keyOf('standings', [ranking.name, window, category, after?.sortKey, after?.itemId, wanted]);
      const standings = await readRows(key, point, (reads) =>
        reads.standings(ranking, window, category, after, wanted),
      );
      if (standings.value !== null) {
        const { items } = standings.value;
        return { ...standings.value, items, ttlMs: standings.ttlMs, more: items.length === wanted };
      }
    }
    const summed = await sum(query, point);
    const position = after === null ? 0 : summed.items.findIndex((row) => comesAfter(row, after));
    return { ...summed, items: position < 0 ? [] : summed.items.slice(position), more: false };
  }

  function readRows(
    key: string,
    point: ReadPoint | null,
    load: (reads: PopularityReads) => Promise<RankedRows | null>,
  ): Promise<Cached<RankedRows | null>> {
    if (point === null) return rowsCache.get(key, () => load(reader));
    return load(reader.past(point)).then((value) => ({ value, ttlMs: 0 }));
  }

  async function sum(query: PopularQuery, point: ReadPoint | null): Promise<RankedRows & { readonly ttlMs: number }> {
    const { ranking, window, types, category } = query;
    if (types?.length === 0) {
      return { asOf: query.asOf ?? new Date(clock()), items: [], ttlMs: Number.POSITIVE_INFINITY };
    }
    const bucket = query.asOf === null ? 'now' : bucketOf(window, query.asOf.getTime());
    const key = keyOf('sum', [ranking.name, window, types, category, bucket]);
    const { value, ttlMs } = await readRows(key, point, (reads) =>
      slots.run(() => reads.sum({ ranking, window, types, category, asOf: query.asOf })),
    );
    if (value === null) throw new Error('a sum is never missing');
    const asOf = query.asOf ?? value.asOf;
    return { asOf, items: scoredAt(ranking, value.items, asOf), ttlMs };
  }

  function keyOf(kind: string, parts: readonly unknown[]): string {
    return `${kind}:${follower.generation()}:${JSON.stringify(parts)}`;
  }

  return {
    async page(asked, findItems, settled) {
      const query = parsePopularQuery(asked, rankings, clock());
      const point = settled === null ? null : await settled();
      const rows = await rowsOf(query, point);
      // One row more than wanted tells whether there is a next page.
      const visible = rows.items.filter((row) => !follower.isHidden(row.itemId)).slice(0, query.limit + 1);
      const wanted = visible.slice(0, query.limit);
      const { items, ttlMs } = await findItems(wanted.map((row) => row.itemId));
      const before = query.after?.rank ?? 0;
      const found = wanted.flatMap(({ itemId, score, people, sortKey }) => {
        const item = items.get(itemId);
        return item === undefined ? [] : [{ item, score, people, sortKey }];
      });
      const last = before + found.length;
      return {
        rows: found.map(({ item, score, people, sortKey }, index) => {
          const rank = before + index + 1;
          return { rank, score, people, item, cursor: encodeCursor(query.shape, { rank, sortKey, itemId: item.id }) };
        }),
        hasNextPage: last < MAX_DEPTH && found.length > 0 && (visible.length > query.limit || rows.more),
        hasPreviousPage: query.after !== null,
        ranking: query.ranking.name,
        window: query.window,
        asOf: rows.asOf,
        ttlMs: Math.min(rows.ttlMs, ttlMs),
      };
    },

    async counts(itemIds, window, asOf, point) {
      if (point !== null) return { counts: await reader.past(point).counts(itemIds, window, asOf), ttlMs: 0 };
      const prefix = `${follower.generation()}:${window}:${bucketOf(window, asOf.getTime())}:`;
      const load = (ids: readonly string[]): Promise<ReadonlyMap<string, CountsByType>> =>
        reader.counts(ids, window, asOf);
      const { values, ttlMs } = await countsCache.getMany(prefix, itemIds, load, NO_COUNTS);
      return { counts: values, ttlMs };
    },
  };
}

/** The newest bucket of a window: answers within one are the same. */
function bucketOf(window: PopularityWindow | null, atMs: number): number {
  return Math.floor(atMs / (window === 'HOUR' ? MINUTE_MS : HOUR_MS));
}

/** A sum may have been made for another time of the same bucket; decayed scores, unlike their order, differ by it. */
function scoredAt({ halfLifeHours }: Ranking, rows: readonly RankedItem[], asOf: Date): readonly RankedItem[] {
  if (halfLifeHours === null) return rows;
  const decayed = asOf.getTime() / HOUR_MS / halfLifeHours;
  return rows.map((row) => ({ ...row, score: 2 ** (row.sortKey - decayed) }));
}

function comesAfter(row: RankedItem, position: Position): boolean {
  if (row.sortKey !== position.sortKey) return row.sortKey < position.sortKey;
  // Code-point order, which is the order of the bytes in UTF-8; JavaScript compares UTF-16 units.
  return Buffer.compare(Buffer.from(row.itemId), Buffer.from(position.itemId)) > 0;
}
