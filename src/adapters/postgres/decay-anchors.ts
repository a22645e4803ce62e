import type { Ranking } from '../../popularity/ranking.ts';
import { plainArray } from './plain-array.ts';
import { decayedSql, weightsSql, type Buckets } from './popularity-sql.ts';
import type { Transaction } from './prisma-database.ts';
import { Prisma } from '../generated/prisma/client.ts';

/**
 * An anchor is what an item's hours before `before_hour` come to in a ranking with a half-life, as log2 like the scores: to
 * rescore an item two days of hours are read, and not all of the 64 half-lives that count. It is moved on when its item is
 * rescored on another day. What is recorded for a day before today names its item in `touched.past_keys`.
 */

/** Minutes from here on are of today: an anchor ends a day before, so no clock need be exact. */
export function firstMinuteOfDay(nowMs: number): number {
  return Math.floor(nowMs / 86_400_000) * 1_440;
}

/** Anchors of these items as of yesterday, made from the hours themselves for the `stale` ones and where there is none. */
export async function moveAnchors(
  tx: Transaction,
  rankings: readonly Ranking[],
  buckets: Buckets,
  itemKeys: readonly bigint[],
  stale: readonly bigint[],
): Promise<void> {
  const beforeHour = (Math.floor(buckets.hour / 24) - 1) * 24;
  const isStale = Prisma.sql`m.item_key = ANY(${plainArray(stale)}::bigint[])`;
  await tx.$executeRaw`
    WITH weights AS MATERIALIZED (${weightsSql(rankings, null)}),
    wanted AS MATERIALIZED (
      SELECT m.item_key, r.ranking, CASE WHEN a.before_hour < ${beforeHour} AND NOT ${isStale} THEN a.before_hour ELSE 0 END AS from_hour,
        CASE WHEN a.before_hour < ${beforeHour} AND NOT ${isStale} THEN a.sort_key END AS sort_key
      FROM (SELECT DISTINCT item_key FROM totals WHERE item_key = ANY(${plainArray(itemKeys)}::bigint[])) AS m
      CROSS JOIN (SELECT DISTINCT ranking FROM weights) AS r
      LEFT JOIN decay_anchors a ON a.item_key = m.item_key AND a.ranking = r.ranking
      WHERE a.before_hour IS DISTINCT FROM ${beforeHour} OR ${isStale}
    ),
    ${decayedSql(beforeHour - 1)}
    INSERT INTO decay_anchors (item_key, ranking, before_hour, sort_key)
    SELECT item_key, ranking, ${beforeHour}, sort_key FROM decayed
    ON CONFLICT (item_key, ranking) DO UPDATE SET before_hour = excluded.before_hour, sort_key = excluded.sort_key`;
}

/** Of all rankings but those `kept`. */
export async function dropAnchors(tx: Transaction, kept: readonly string[]): Promise<void> {
  await tx.$executeRaw`DELETE FROM decay_anchors WHERE ranking <> ALL(${[...kept]}::text[])`;
}
