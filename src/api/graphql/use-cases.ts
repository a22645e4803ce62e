import { createSwrCache, type CacheOutcome, type SwrCache } from '../../cache/swr-cache.ts';
import { createEraseViewer } from '../../interactions/erase-viewer.ts';
import { createIncludedWrites } from '../../interactions/included-writes.ts';
import { createRecordInteraction } from '../../interactions/record-interaction.ts';
import { createViewerHistory } from '../../interactions/viewer-history.ts';
import { createCatalogueFollower } from '../../items/catalogue-follower.ts';
import { createCatalogue } from '../../items/catalogue.ts';
import type { Item } from '../../items/item.ts';
import { createKnownItems } from '../../items/known-items.ts';
import { createCurrentRankings } from '../../popularity/current-rankings.ts';
import { createPopularItems } from '../../popularity/popular-items.ts';
import { createSumSlots } from '../../popularity/sum-slots.ts';
import type { Ports } from '../../ports.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { UseCases } from './context.ts';

export interface UseCasesOptions {
  readonly ports: Pick<
    Ports,
    'queue' | 'interactions' | 'progress' | 'pending' | 'eraser' | 'items' | 'rankings' | 'popularity'
  >;
  readonly maxAgeDays: number;
  readonly anonymousWrites: boolean;
  /** Data is fresh for so long, and may be served for as long again while it is read anew. */
  readonly cacheTtlMs: number;
  readonly metrics: Pick<Metrics, 'dataCache' | 'rateLimited'>;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
}

export interface RunningUseCases {
  readonly useCases: UseCases;
  /** Begins to follow the catalogue. Resolves also when Postgres is away. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const FOLLOW_INTERVAL_MS = 250;
/** What is no longer fresh is given for so long at most. */
const MAX_STALE_MS = 500;
/** Of all lists together; a sum has up to a thousand. */
const MAX_CACHED_ROWS = 200_000;
/** A key that is longer counts as several rows. */
const ROW_CHARACTERS = 100;
/** Of all items together, some 60 MB of memory. */
const MAX_CACHED_CHARACTERS = 20 * 1024 * 1024;
/** What an item takes beside its texts, about. */
const ITEM_CHARACTERS = 256;
const MAX_CACHED_COUNTS = 50_000;
const SUMS_AT_ONCE = 2;
const MAX_SUM_WAIT_MS = 1_000;

/** Everything behind the resolvers of one process. */
export function createUseCases(options: UseCasesOptions): RunningUseCases {
  const { ports, logger, anonymousWrites, cacheTtlMs } = options;
  const clock = options.clock ?? Date.now;
  const { items, popularity: reader, pending, eraser, queue } = ports;

  const { dataCache: lookups, rateLimited } = options.metrics;
  const outcomes: Readonly<Record<CacheOutcome, { inc(): void }>> = {
    fresh: lookups.labels('fresh'),
    stale: lookups.labels('stale'),
    miss: lookups.labels('miss'),
    shared: lookups.labels('shared'),
  };

  function dataCache<V>(maxSize: number, sizeOf: (value: V, key: string) => number = () => 1): SwrCache<V> {
    return createSwrCache({
      maxSize,
      sizeOf,
      freshMs: cacheTtlMs,
      staleMs: Math.min(cacheTtlMs, MAX_STALE_MS),
      onOutcome: (outcome) => outcomes[outcome].inc(),
    });
  }

  const follower = createCatalogueFollower({ items, intervalMs: FOLLOW_INTERVAL_MS, logger });
  const rankings = createCurrentRankings({ store: ports.rankings, follower, logger });
  const known = createKnownItems({ items, follower });
  return {
    useCases: {
      recordInteraction: createRecordInteraction({ queue, pending, known, maxAgeDays: options.maxAgeDays, clock }),
      history: createViewerHistory({ reader: ports.interactions, pending, isHidden: follower.isHidden }),
      includedWrites: createIncludedWrites({
        progress: ports.progress,
        clock,
        onRefused: () => rateLimited.inc({ limit: 'includes' }),
      }),
      eraseViewer: createEraseViewer({ eraser, pending }),
      catalogue: createCatalogue({ items, follower, cache: dataCache(MAX_CACHED_CHARACTERS, charactersOf) }),
      rankings,
      popularItems: createPopularItems({
        reader,
        rankings,
        follower,
        rowsCache: dataCache(MAX_CACHED_ROWS, (rows, key) => rowsOf(key) + (rows?.items.length ?? 0)),
        countsCache: dataCache(MAX_CACHED_COUNTS),
        slots: createSumSlots({
          slots: SUMS_AT_ONCE,
          maxWaitMs: MAX_SUM_WAIT_MS,
          onRefused: () => rateLimited.inc({ limit: 'sums' }),
        }),
        clock,
      }),
      anonymousWrites,
      cacheTtlMs,
      generation: follower.generation,
      clock,
    },
    start: follower.start,
    stop: follower.stop,
  };
}

function rowsOf(key: string): number {
  return Math.ceil(key.length / ROW_CHARACTERS);
}

function charactersOf(item: Item | null, key: string): number {
  return ITEM_CHARACTERS + key.length + (item === null ? 0 : JSON.stringify(item).length);
}
