import { LRUCache } from 'lru-cache';
import { createSingleFlight } from './single-flight.ts';

export type CacheOutcome = 'fresh' | 'stale' | 'miss' | 'shared';

export interface Cached<V> {
  readonly value: V;
  /** For how long what is built on it may be kept: until it is no longer fresh, or briefly while it is being replaced. */
  readonly ttlMs: number;
}

export interface CachedMany<V> {
  readonly values: ReadonlyMap<string, V>;
  readonly ttlMs: number;
}

export interface SwrCacheOptions {
  readonly maxEntries: number;
  /** For how long a value is served as it is. */
  readonly freshMs: number;
  /** For how long after that it is still served while one load replaces it. */
  readonly staleMs: number;
  readonly onOutcome?: (outcome: CacheOutcome) => void;
  /** Milliseconds of a clock that never steps back. */
  readonly nowMs?: () => number;
}

/** Values by key in this process, the least recently used making room. Concurrent misses of a key share one load. */
export interface SwrCache<V> {
  /** Rejects as `load` does on a miss; a failed refresh leaves the stale value to run out. */
  get(key: string, load: () => Promise<V>): Promise<Cached<V>>;
  /**
   * As `get` for `prefix + id` of each id, with one load for all that are missing or stale. `absent` stands for ids that
   * the load does not give.
   */
  getMany(
    prefix: string,
    ids: readonly string[],
    load: (ids: readonly string[]) => Promise<ReadonlyMap<string, V>>,
    absent: V,
  ): Promise<CachedMany<V>>;
  delete(key: string): void;
}

interface Entry<V> {
  readonly value: V;
  readonly loadedAtMs: number;
}

/** What is built on a stale value is looked at again this soon: its replacement is on the way. */
const STALE_TTL_MS = 50;

export function createSwrCache<V>(options: SwrCacheOptions): SwrCache<V> {
  const { freshMs, staleMs } = options;
  const nowMs = options.nowMs ?? (() => performance.now());
  const count = options.onOutcome ?? (() => undefined);
  const entries = new LRUCache<string, Entry<V>>({ max: options.maxEntries });
  const flight = createSingleFlight<Entry<V>>();

  function load(key: string, loadValue: () => Promise<V>): Promise<Entry<V>> {
    return flight.run(key, async () => {
      const entry = { value: await loadValue(), loadedAtMs: nowMs() };
      entries.set(key, entry);
      return entry;
    });
  }

  function cached(entry: Entry<V>): Cached<V> {
    return { value: entry.value, ttlMs: ttlOf(entry) };
  }

  /** Zero or less: too old to be served. */
  function ttlOf(entry: Entry<V>): number {
    const ageMs = nowMs() - entry.loadedAtMs;
    return ageMs < freshMs ? freshMs - ageMs : Math.min(STALE_TTL_MS, freshMs + staleMs - ageMs);
  }

  function isFresh(entry: Entry<V>): boolean {
    return nowMs() - entry.loadedAtMs < freshMs;
  }

  return {
    async get(key, loadValue) {
      const entry = entries.get(key);
      if (entry !== undefined && ttlOf(entry) > 0) {
        if (isFresh(entry)) {
          count('fresh');
        } else {
          count('stale');
          load(key, loadValue).catch(() => undefined);
        }
        return cached(entry);
      }
      count(flight.running(key) === undefined ? 'miss' : 'shared');
      return cached(await load(key, loadValue));
    },

    async getMany(prefix, ids, loadValues, absent) {
      const values = new Map<string, V>();
      const wanted: string[] = [];
      const waiting: string[] = [];
      const stale: string[] = [];
      let ttlMs = freshMs;
      for (const id of new Set(ids)) {
        const key = prefix + id;
        const entry = entries.get(key);
        if (entry !== undefined && ttlOf(entry) > 0) {
          values.set(id, entry.value);
          ttlMs = Math.min(ttlMs, ttlOf(entry));
          if (isFresh(entry)) count('fresh');
          else {
            count('stale');
            if (flight.running(key) === undefined) stale.push(id);
          }
          continue;
        }
        waiting.push(id);
        if (flight.running(key) === undefined) {
          count('miss');
          wanted.push(id);
        } else count('shared');
      }
      const loading = [...wanted, ...stale];
      if (loading.length > 0) {
        const batch = loadValues(loading);
        for (const id of loading) {
          load(prefix + id, async () => (await batch).get(id) ?? absent).catch(() => undefined);
        }
      }
      await Promise.all(
        waiting.map(async (id) => {
          const entry = await (flight.running(prefix + id) ?? entries.get(prefix + id));
          if (entry !== undefined) {
            values.set(id, entry.value);
            ttlMs = Math.min(ttlMs, ttlOf(entry));
          }
        }),
      );
      return { values, ttlMs };
    },

    delete: (key) => void entries.delete(key),
  };
}
