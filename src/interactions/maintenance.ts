export interface Maintenance {
  /** Partitions for every month from `fromMs` to `toMs` (ms since the epoch). Idempotent, safe from many processes. */
  ensurePartitions(fromMs: number, toMs: number): Promise<void>;
  /**
   * Drops months of raw interactions that ended over `retentionDays` ago; 0 keeps all. Gives the months dropped: one that is
   * being read by a backup, for one, stays for the next time.
   */
  dropPartitions(retentionDays: number): Promise<string[]>;
  /** Deletes minute rollups older than they are kept (a little over 48 hours), in chunks. */
  purgeMinutes(): Promise<number>;
}
