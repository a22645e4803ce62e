/** A shared or local key-value cache of JSON text. Every call has a deadline; a cache that is away is a miss, not an error. */
export interface TextCache {
  get(key: string): Promise<string | undefined>;
  /** Resolves when stored or given up. Never rejects. */
  set(key: string, value: string, ttlMs: number): Promise<void>;
  delete(key: string): Promise<void>;
}
