import type { TextCache } from '../../src/cache/cache.ts';

export interface MemoryTextCache extends TextCache {
  readonly entries: Map<string, { value: string; expiresAtMs: number; ttlMs: number }>;
  readonly reads: string[];
}

export function createMemoryTextCache(): MemoryTextCache {
  const cache: MemoryTextCache = {
    entries: new Map(),
    reads: [],
    async get(key) {
      cache.reads.push(key);
      const entry = cache.entries.get(key);
      return entry !== undefined && entry.expiresAtMs > performance.now() ? entry.value : undefined;
    },
    async set(key, value, ttlMs) {
      cache.entries.set(key, { value, ttlMs, expiresAtMs: performance.now() + ttlMs });
    },
    async delete(key) {
      cache.entries.delete(key);
    },
  };
  return cache;
}
