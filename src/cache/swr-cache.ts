import { LRUCache } from 'lru-cache';
import { withDeadline } from '../runtime/deadline.ts';
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

export interface SwrCacheOptions<V> {
  /** Of all values together, at most. */
  readonly maxSize: number;
  /** A whole number above zero; 1 for each when left out. */
  readonly sizeOf?: (value: V, key: string) => number;
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
/** A replacement that comes so soon is waited for: most do, and then nothing stale is given. */
const SOON_MS = 25;
/** Older than this share of its fresh time, a value is loaded again along with others that have to be. */
const AGING_SHARE = 1 / 4;

export function createSwrCache<V>(options: SwrCacheOptions<V>): SwrCache<V> {
  const { freshMs, staleMs } = options;
  const nowMs = options.nowMs ?? (() => performance.now());
  const count = options.onOutcome ?? (() => undefined);
  const { sizeOf = () => 1 } = options;
  const entries = new LRUCache<string, Entry<V>>({
    maxSize: options.maxSize,
    sizeCalculation: ({ value }, key) => sizeOf(value, key),
  });
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

  function ageOf(entry: Entry<V>): number {
    return nowMs() - entry.loadedAtMs;
  }

  /** Zero: too old to be served, or grown so while its replacement was waited for. */
  function ttlOf(entry: Entry<V>): number {
    const ageMs = ageOf(entry);
    return ageMs < freshMs ? freshMs - ageMs : Math.max(0, Math.min(STALE_TTL_MS, freshMs + staleMs - ageMs));
  }

  return {
    async get(key, loadValue) {
      const entry = entries.get(key);
      if (entry !== undefined && ageOf(entry) < freshMs) {
        count('fresh');
        return cached(entry);
      }
      const outcome = flight.running(key) === undefined ? 'miss' : 'shared';
      const loading = load(key, loadValue);
      if (entry === undefined || ttlOf(entry) === 0) {
        count(outcome);
        return cached(await loading);
      }
      const replacement = await soon(loading);
      count(replacement === undefined ? 'stale' : outcome);
      return cached(replacement ?? entry);
    },

    async getMany(prefix, ids, loadValues, absent) {
      const found = new Map<string, Entry<V>>();
      const missing: string[] = [];
      const stale: string[] = [];
      const aging: string[] = [];
      for (const id of new Set(ids)) {
        const entry = entries.get(prefix + id);
        if (entry === undefined || ttlOf(entry) === 0) {
          missing.push(id);
          continue;
        }
        found.set(id, entry);
        if (ageOf(entry) >= freshMs) stale.push(id);
        else if (ageOf(entry) >= freshMs * AGING_SHARE) aging.push(id);
      }
      const isLoading = (id: string): boolean => flight.running(prefix + id) !== undefined;
      const outcomes = new Map<string, CacheOutcome>(
        [...missing, ...stale].map((id) => [id, isLoading(id) ? 'shared' : 'miss']),
      );
      const wanted = [...missing, ...stale].filter((id) => !isLoading(id));
      if (wanted.length > 0) {
        wanted.push(...aging.filter((id) => !isLoading(id)));
        const batch = loadValues(wanted);
        for (const id of wanted) {
          load(prefix + id, async () => (await batch).get(id) ?? absent).catch(() => undefined);
        }
      }
      const loaded = async (id: string): Promise<Entry<V> | undefined> =>
        flight.running(prefix + id) ?? entries.get(prefix + id);
      // Most calls find all of it fresh, and need no timer.
      const replaced = stale.length === 0 ? [] : soon(Promise.all(stale.map(loaded)));
      for (const [id, entry] of await Promise.all(missing.map(async (id) => [id, await loaded(id)] as const))) {
        if (entry !== undefined) found.set(id, entry);
      }
      if ((await replaced) === undefined) for (const id of stale) outcomes.set(id, 'stale');

      const values = new Map<string, V>();
      let ttlMs = freshMs;
      for (const [id, old] of found) {
        const entry = entries.get(prefix + id) ?? old;
        values.set(id, entry.value);
        ttlMs = Math.min(ttlMs, ttlOf(entry));
        count(outcomes.get(id) ?? 'fresh');
      }
      return { values, ttlMs };
    },

    delete: (key) => void entries.delete(key),
  };
}

/** Undefined when it takes longer, or fails. */
function soon<T>(work: Promise<T>): Promise<T | undefined> {
  return withDeadline(work, SOON_MS, 'a replacement').catch(() => undefined);
}
