import type { Maintenance } from '../src/interactions/maintenance.ts';
import type { Logger } from '../src/runtime/logger.ts';
import { repeat } from './repeat.ts';

const HOUR_MS = 60 * 60 * 1_000;
const DAY_MS = 24 * HOUR_MS;

export interface MaintainOptions {
  readonly maintenance: Maintenance;
  readonly maxAgeDays: number;
  readonly retentionDays: number;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Partitions ahead of time and dropped after theirs, old minutes purged. Safe from many workers at once. */
export async function maintain({
  maintenance,
  maxAgeDays,
  retentionDays,
  logger,
  signal,
}: MaintainOptions): Promise<void> {
  const partitions = repeat({
    name: 'keep partitions',
    everyMs: HOUR_MS,
    logger,
    signal,
    async work() {
      const now = new Date();
      const twoMonthsAhead = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 2, 1);
      await maintenance.ensurePartitions(now.getTime() - (maxAgeDays + 1) * DAY_MS, twoMonthsAhead);
      const dropped = await maintenance.dropPartitions(retentionDays);
      if (dropped.length > 0) logger.info({ dropped, retentionDays }, 'dropped months of raw interactions');
      return 'later';
    },
  });
  const minutes = repeat({
    name: 'purge minutes',
    everyMs: HOUR_MS,
    logger,
    signal,
    async work() {
      await maintenance.purgeMinutes();
      return 'later';
    },
  });
  await Promise.all([partitions, minutes]);
}
