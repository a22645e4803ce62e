import type { InteractionType } from '../../interactions/interaction.ts';
import type { PopularityWindow, Ranking } from '../../popularity/ranking.ts';
import { Prisma } from '../generated/prisma/client.ts';

/** What a standing covers: a window, or decay over all history. */
export type Period = PopularityWindow | 'DECAY';

const HOURS_IN: Record<Exclude<PopularityWindow, 'HOUR' | 'ALL_TIME'>, number> = { DAY: 24, WEEK: 168, MONTH: 720 };
export const MINUTES_IN_HOUR = 60;
/** Shares older than this many half-lives before an item's newest are below what a double holds of the sum. */
const HALF_LIVES = 64;
/** Taking what came later off the totals costs little up to here; further back, summing the days before is cheaper. */
const RECENT_HOURS = 48;

/** The last buckets of a period; all before them is in it as far as the window reaches. */
export interface Buckets {
  readonly minute: number;
  readonly hour: number;
  /** The hour it really is: asOf may lie in the past. */
  readonly currentHour: number;
}

export function bucketsOf(asOfMs: number, nowMs: number): Buckets {
  return {
    minute: Math.floor(asOfMs / 60_000),
    hour: Math.floor(asOfMs / 3_600_000),
    currentHour: Math.floor(nowMs / 3_600_000),
  };
}

/** How many hours a window spans; undefined for the two that are not cut at hours. */
export function hoursIn(period: Period): number | undefined {
  return period === 'DAY' || period === 'WEEK' || period === 'MONTH' ? HOURS_IN[period] : undefined;
}

/**
 * Rollup rows (item_key, type, events, people) whose sum is what happened in the window: whole days, and the hours at its
 * edges that are missing of them, or taken off them. `among` narrows them by a condition on the rollup's columns, such as
 * `item_key = ANY(…)`.
 */
export function windowRowsSql(window: PopularityWindow, buckets: Buckets, among: Prisma.Sql): Prisma.Sql {
  const rows = (table: 'minutes' | 'hours' | 'days' | 'totals', where: Prisma.Sql, sign = 1): Prisma.Sql => {
    const minus = sign < 0 ? Prisma.raw('-') : Prisma.empty;
    return Prisma.sql`
      SELECT item_key, type, ${minus}events::bigint AS events, ${minus}people::bigint AS people
      FROM ${Prisma.raw(table)} WHERE ${where} AND ${among}`;
  };
  if (window === 'HOUR') {
    return rows('minutes', Prisma.sql`minute BETWEEN ${buckets.minute - MINUTES_IN_HOUR + 1} AND ${buckets.minute}`);
  }
  const span = hoursIn(window);
  if (span === undefined && buckets.currentHour - buckets.hour <= RECENT_HOURS) {
    return union([rows('totals', Prisma.sql`true`), rows('hours', Prisma.sql`hour > ${buckets.hour}`, -1)]);
  }
  const { days, hours } = partsOf(span === undefined ? 0 : buckets.hour - span + 1, buckets);
  const parts = [
    ...(days.from < days.to ? [rows('days', Prisma.sql`day BETWEEN ${days.from} AND ${days.to - 1}`)] : []),
    ...hours.map(({ from, to, sign }) => rows('hours', Prisma.sql`hour BETWEEN ${from} AND ${to - 1}`, sign)),
  ];
  // All that was before 1970 may be no hour at all.
  return union(parts.length > 0 ? parts : [rows('days', Prisma.sql`false`)]);
}

/**
 * The hours from the first to that of the buckets as whole days and what is missing of them or too much, whichever is
 * fewer rows. Each range ends before its `to`.
 */
export function partsOf(firstHour: number, { hour, currentHour }: Pick<Buckets, 'hour' | 'currentHour'>) {
  const hours: { from: number; to: number; sign: 1 | -1 }[] = [];
  const end = hour + 1;
  const days = { from: Math.floor(firstHour / 24), to: Math.ceil(end / 24) };
  const before = firstHour - days.from * 24;
  if (before > 12) {
    days.from += 1;
    hours.push({ from: firstHour, to: days.from * 24, sign: 1 });
  } else if (before > 0) hours.push({ from: days.from * 24, to: firstHour, sign: -1 });
  const after = days.to * 24 - end;
  // Of hours to come there is next to nothing.
  if (Math.min(after, Math.max(0, currentHour - hour)) > 24 - after) {
    days.to -= 1;
    hours.push({ from: days.to * 24, to: end, sign: 1 });
  } else if (after > 0) hours.push({ from: end, to: days.to * 24, sign: -1 });
  return { days, hours };
}

function union(parts: readonly Prisma.Sql[]): Prisma.Sql {
  return Prisma.join(parts, ' UNION ALL ');
}

/** Weights as rows (ranking, type, weight, by_people, half_life). */
export function weightsSql(rankings: readonly Ranking[], types: readonly InteractionType[] | null): Prisma.Sql {
  const rows = rankings.flatMap((ranking) =>
    [...ranking.weights].flatMap(([type, weight]) =>
      types === null || types.includes(type) ? [{ ranking, type, weight }] : [],
    ),
  );
  return Prisma.sql`
    SELECT * FROM unnest(
      ${rows.map(({ ranking }) => ranking.name)}::text[],
      ${rows.map(({ type }) => type)}::interaction_type[],
      ${rows.map(({ weight }) => weight)}::float8[],
      ${rows.map(({ ranking }) => ranking.counts === 'people')}::boolean[],
      ${rows.map(({ ranking }) => ranking.halfLifeHours ?? 0)}::float8[]
    ) AS weights (ranking, type, weight, by_people, half_life)`;
}

export interface Scoring {
  readonly period: Period;
  /** All with a window, or all with a half-life, as the period says. */
  readonly rankings: readonly Ranking[];
  /** Null: each ranking's own. */
  readonly types: readonly InteractionType[] | null;
  readonly buckets: Buckets;
  /** Which items, as a condition on `item_key`. */
  readonly among: Prisma.Sql;
  /** Of DECAY: all of these items have anchors (decay-anchors.ts), so that only later hours have to be read. */
  readonly anchored?: boolean;
}

/** CTEs that end in `scored` (ranking, item_key, sort_key, people): the items of each ranking that have a score. */
export function scoredSql({ period, rankings, types, buckets, among, anchored = false }: Scoring): Prisma.Sql {
  const weights = weightsSql(rankings, types);
  if (period !== 'DECAY') {
    return Prisma.sql`
      weights AS MATERIALIZED (${weights}),
      sums AS (
        SELECT item_key, type, sum(events) AS events, sum(people) AS people
        FROM (${windowRowsSql(period, buckets, among)}) AS rows GROUP BY item_key, type
      ),
      scored AS MATERIALIZED (
        SELECT ranking, item_key, sort_key, people FROM (
          SELECT w.ranking, s.item_key, sum(s.people)::bigint AS people,
            sum(w.weight * CASE WHEN w.by_people THEN s.people ELSE s.events END ORDER BY s.type)::float8 AS sort_key
          FROM sums s JOIN weights w ON w.type = s.type
          GROUP BY w.ranking, s.item_key
        ) AS summed WHERE sort_key > 0
      )`;
  }
  const wanted = anchored
    ? Prisma.sql`SELECT item_key, ranking, before_hour AS from_hour, sort_key FROM decay_anchors WHERE ${among}`
    : Prisma.sql`
      SELECT item_key, ranking, 0 AS from_hour, NULL::float8 AS sort_key
      FROM (SELECT DISTINCT item_key FROM totals WHERE ${among}) AS m CROSS JOIN (SELECT DISTINCT ranking FROM weights) AS r`;
  return Prisma.sql`
    weights AS MATERIALIZED (${weights}),
    wanted AS (${wanted}),
    ${decayedSql(buckets.hour)},
    reached AS (
      SELECT w.ranking, r.item_key, sum(r.people)::bigint AS people
      FROM (${windowRowsSql('ALL_TIME', buckets, among)}) AS r JOIN weights w ON w.type = r.type
      GROUP BY w.ranking, r.item_key
    ),
    scored AS MATERIALIZED (
      -- Rounded, so that equal histories give equal keys.
      SELECT d.ranking, d.item_key, round(d.sort_key * 1e9) / 1e9 AS sort_key, r.people
      FROM decayed d JOIN reached r USING (ranking, item_key) WHERE d.sort_key IS NOT NULL
    )`;
}

/**
 * CTE `decayed` (ranking, item_key, sort_key): log2 of sum(share * 2^(hour / half-life)) over the hours from `from_hour` to
 * `toHour`, with the newest taken out first so that nothing overflows, on top of the sort_key of what was before. Needs
 * `weights`, and `wanted` (item_key, ranking, from_hour, sort_key), before it.
 */
export function decayedSql(toHour: number): Prisma.Sql {
  return Prisma.sql`
    recipes AS (
      SELECT ranking, half_life, by_people, array_agg(type) AS types FROM weights GROUP BY ranking, half_life, by_people
    ),
    newest AS (
      SELECT r.ranking, r.half_life, m.item_key, m.sort_key, n.hour,
        greatest(m.from_hour, n.hour - ceil(${HALF_LIVES} * r.half_life)::integer) AS from_hour
      FROM wanted m JOIN recipes r USING (ranking) LEFT JOIN LATERAL (
        SELECT h.hour FROM hours h
        WHERE h.item_key = m.item_key AND h.hour BETWEEN m.from_hour AND ${toHour} AND h.type = ANY(r.types)
          AND CASE WHEN r.by_people THEN h.people ELSE h.events END > 0
        ORDER BY h.hour DESC LIMIT 1
      ) AS n ON true
    ),
    -- Item by item, and no table twice: the planner expects a few rows of each, and compared each with each.
    decayed AS (
      SELECT n.ranking, n.item_key, CASE
        WHEN n.sort_key IS NULL OR a.sort_key IS NULL THEN coalesce(n.sort_key, a.sort_key)
        -- The least power that a double holds is 2^-1074.
        ELSE greatest(n.sort_key, a.sort_key) + ln(1 + power(2::float8, -least(1000, abs(n.sort_key - a.sort_key)))) / ln(2::float8)
        END AS sort_key
      FROM newest n CROSS JOIN LATERAL (
        SELECT n.hour / n.half_life + ln(sum(
          w.weight * CASE WHEN w.by_people THEN h.people ELSE h.events END * power(2::float8, (h.hour - n.hour) / n.half_life))) / ln(2::float8) AS sort_key
        FROM hours h JOIN weights w ON w.ranking = n.ranking AND w.type = h.type
        WHERE h.item_key = n.item_key AND h.hour BETWEEN n.from_hour AND n.hour
          AND CASE WHEN w.by_people THEN h.people ELSE h.events END > 0
      ) AS a
    )`;
}
