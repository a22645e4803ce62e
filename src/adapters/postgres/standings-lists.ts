import { POPULARITY_WINDOWS, type Ranking } from '../../popularity/ranking.ts';
import { dropAnchors, moveAnchors } from './decay-anchors.ts';
import { scoredSql, type Buckets, type Period, type Scoring } from './popularity-sql.ts';
import { plainArray } from './plain-array.ts';
import type { Transaction } from './prisma-database.ts';
import { Prisma } from '../generated/prisma/client.ts';

/** A list is cut back to `kept` when it is longer than `longest`, and summed again when it is shorter than `depth`. */
export interface ListLengths {
  readonly depth: number;
  readonly kept: number;
  readonly longest: number;
}

export function listLengths(depth: number): ListLengths {
  return { depth, kept: Math.ceil(1.5 * depth), longest: 2 * depth };
}

function periodsOf(ranking: Ranking): readonly Period[] {
  return ranking.halfLifeHours === null ? POPULARITY_WINDOWS : ['DECAY'];
}

/** Rows (ranking, period) of all standings there should be. */
function recipesSql(rankings: readonly Ranking[]): Prisma.Sql {
  const rows = rankings.flatMap((ranking) => periodsOf(ranking).map((period) => ({ ranking: ranking.name, period })));
  return Prisma.sql`
    SELECT * FROM unnest(${rows.map((row) => row.ranking)}::text[], ${rows.map((row) => row.period)}::standing_period[])
      AS recipes (ranking, period)`;
}

/** Only one worker at a time refreshes, and none while rankings are replaced. */
export const REFRESH_LOCK = 4_717_211;

/** What a ranking's standings depend on. */
export function recipeOf({ weights, counts, window, halfLifeHours }: Ranking): string {
  const sorted = [...weights].toSorted(([a], [b]) => a.localeCompare(b));
  return JSON.stringify([sorted, counts, window === null, halfLifeHours]);
}

/**
 * Drops the lists of rankings that went or changed and makes empty ones, not ready, for those that came. Gives the hash
 * of the rankings followed, to be kept for the next pass.
 */
export async function followRankings(tx: Transaction, rankings: readonly Ranking[], followed: string): Promise<string> {
  const hash = JSON.stringify(rankings.map((ranking) => [ranking.name, recipeOf(ranking)]));
  if (hash === followed) return hash;
  const before = new Map<string, string>(followed === '' ? [] : JSON.parse(followed));
  const kept = rankings.filter((ranking) => before.get(ranking.name) === recipeOf(ranking)).map(({ name }) => name);
  const came = rankings.filter(({ name }) => !kept.includes(name));
  await dropAnchors(tx, kept);
  await tx.$executeRaw`
    WITH gone AS (DELETE FROM standing_lists WHERE ranking <> ALL(${kept}::text[]) RETURNING id)
    DELETE FROM standings s USING gone WHERE s.list_id = gone.id`;
  await tx.$executeRaw`
    INSERT INTO standing_lists (ranking, period, category, ready)
    SELECT r.ranking, r.period, c.category, false
    FROM (${recipesSql(came)}) AS r
    CROSS JOIN (SELECT '' AS category UNION SELECT category FROM items WHERE category IS NOT NULL) AS c`;
  return hash;
}

/** Lists for categories that are new; every item of such a category has been touched, so they are complete as they fill. */
export async function ensureLists(
  tx: Transaction,
  rankings: readonly Ranking[],
  itemKeys: readonly bigint[],
): Promise<void> {
  if (itemKeys.length === 0) return;
  await tx.$executeRaw`
    INSERT INTO standing_lists (ranking, period, category)
    SELECT r.ranking, r.period, c.category
    FROM (${recipesSql(rankings)}) AS r
    CROSS JOIN (SELECT DISTINCT category FROM items WHERE key = ANY(${itemKeys}::bigint[]) AND category IS NOT NULL) AS c
    WHERE NOT EXISTS (
      SELECT FROM standing_lists l WHERE l.ranking = r.ranking AND l.period = r.period AND l.category = c.category)`;
}

/** CTE `scored` (period, ranking, item_key, sort_key, people) of several periods. */
function scoredInSql(scorings: readonly Scoring[]): Prisma.Sql {
  const parts = scorings.map(
    (scoring) => Prisma.sql`
      SELECT ${scoring.period}::standing_period AS period, own.* FROM (
        WITH ${scoredSql(scoring)} SELECT ranking, item_key, sort_key, people FROM scored
      ) AS own`,
  );
  return Prisma.sql`scored AS MATERIALIZED (${Prisma.join(parts, ' UNION ALL ')})`;
}

/**
 * CTE `placed`: where each scored item stands, in the list of all and in that of its category. Needs `scored` before it.
 * An item's two lists are named first: joined the other way round, every score meets the lists of all categories.
 */
function placedSql(condition: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`
    contenders AS MATERIALIZED (
      SELECT s.period, s.ranking, c.category, i.key AS item_key, i.id AS item_id, s.sort_key, s.people
      FROM scored s
      JOIN items i ON i.key = s.item_key AND i.hidden_at IS NULL
      CROSS JOIN LATERAL (VALUES (''), (i.category)) AS c (category)
    ),
    placed AS (
      SELECT l.id AS list_id, s.item_key, s.item_id, s.sort_key, s.people
      FROM contenders s
      JOIN standing_lists l ON l.ranking = s.ranking AND l.period = s.period AND l.category = s.category
      WHERE ${condition}
    )`;
}

/**
 * Puts the items where they belong now, in the lists of these periods, and takes them out where they do not; gives the lists
 * whose length changed. Of the `stale` ones, days before today have changed.
 */
export async function rescoreItems(
  tx: Transaction,
  periods: readonly Period[],
  rankings: readonly Ranking[],
  buckets: Buckets,
  itemKeys: readonly bigint[],
  stale: readonly bigint[],
): Promise<number[]> {
  const keys = Prisma.sql`ANY(${plainArray(itemKeys)}::bigint[])`;
  const scorings = periods.flatMap((period) => {
    const own = rankings.filter((ranking) => periodsOf(ranking).includes(period));
    return own.length === 0
      ? []
      : [{ period, rankings: own, types: null, buckets, among: Prisma.sql`item_key = ${keys}`, anchored: true }];
  });
  if (itemKeys.length === 0 || scorings.length === 0) return [];
  const decaying = scorings.find(({ period }) => period === 'DECAY');
  if (decaying !== undefined) await moveAnchors(tx, decaying.rankings, buckets, itemKeys, stale);
  const aboveWaterline = Prisma.sql`l.ready AND (l.waterline_key IS NULL OR s.sort_key > l.waterline_key
    OR (s.sort_key = l.waterline_key AND s.item_id < l.waterline_item))`;
  const rows = await tx.$queryRaw<{ list_id: number }[]>`
    WITH ${scoredInSql(scorings)},
    ${placedSql(aboveWaterline)},
    present AS MATERIALIZED (
      SELECT s.item_key, s.list_id, s.sort_key, s.people, s.ctid AS place
      FROM standings s JOIN standing_lists l ON l.id = s.list_id
      WHERE s.item_key = ${keys} AND l.period = ANY(${scorings.map(({ period }) => period)}::standing_period[])
    ),
    changes AS MATERIALIZED (
      -- Joined once, by hash: apart, each write below compared its few expected rows each with each.
      SELECT h.place, list_id, item_key, p.item_id, p.sort_key, p.people, p.item_id IS NULL AS goes
      FROM placed p FULL JOIN present h USING (list_id, item_key)
      WHERE p.item_id IS NULL OR h.place IS NULL OR (h.sort_key, h.people) <> (p.sort_key, p.people)
    ),
    gone AS (
      DELETE FROM standings s USING changes c WHERE s.ctid = c.place AND c.goes
      RETURNING s.list_id
    ),
    moved AS (
      UPDATE standings s SET sort_key = c.sort_key, people = c.people
      FROM changes c WHERE s.ctid = c.place AND NOT c.goes
    ),
    came AS (
      INSERT INTO standings (item_key, list_id, item_id, sort_key, people)
      SELECT item_key, list_id, item_id, sort_key, people FROM changes WHERE place IS NULL
      RETURNING list_id
    )
    SELECT list_id FROM gone UNION SELECT list_id FROM came`;
  return rows.map(({ list_id }) => list_id);
}

/** Cuts lists that grew too long; the highest row cut off becomes the waterline. */
export async function trimLists(tx: Transaction, listIds: readonly number[], lengths: ListLengths): Promise<void> {
  if (listIds.length === 0) return;
  const tooLong = await tx.$queryRaw<{ id: number }[]>`
    SELECT l.id FROM unnest(${listIds}::integer[]) AS l (id)
    WHERE (SELECT count(*) FROM standings s WHERE s.list_id = l.id) > ${lengths.longest}`;
  for (const { id } of tooLong) {
    await tx.$executeRaw`
      WITH cut AS MATERIALIZED (
        SELECT sort_key, item_id FROM standings WHERE list_id = ${id}
        ORDER BY sort_key DESC, item_id OFFSET ${lengths.kept} LIMIT 1
      ),
      gone AS (
        DELETE FROM standings s USING cut
        WHERE s.list_id = ${id} AND (s.sort_key < cut.sort_key OR (s.sort_key = cut.sort_key AND s.item_id >= cut.item_id))
      )
      UPDATE standing_lists l SET waterline_key = cut.sort_key, waterline_item = cut.item_id FROM cut WHERE l.id = ${id}`;
  }
}

/** Sums again what is not ready, what is stale, and of the resized what no longer holds as many rows as can be paged. */
export async function refillLists(
  tx: Transaction,
  rankings: readonly Ranking[],
  buckets: Buckets,
  stale: readonly Period[],
  resized: readonly number[],
  lengths: ListLengths,
): Promise<void> {
  const lists = await tx.$queryRaw<{ id: number; ranking: string; period: Period }[]>`
    SELECT l.id, l.ranking, l.period::text FROM standing_lists l
    WHERE NOT l.ready OR l.period = ANY(${stale}::standing_period[])
      OR (l.id = ANY(${resized}::integer[]) AND l.waterline_key IS NOT NULL
        AND (SELECT count(*) FROM standings s WHERE s.list_id = l.id) < ${lengths.depth})`;
  for (const period of new Set(lists.map((list) => list.period))) {
    const short = lists.filter((list) => list.period === period);
    const recipes = rankings.filter(({ name }) => short.some((list) => list.ranking === name));
    const listIds = short.map(({ id }) => id);
    await fill(tx, { period, rankings: recipes, types: null, buckets, among: Prisma.sql`true` }, listIds, lengths);
  }
}

async function fill(
  tx: Transaction,
  scoring: Scoring,
  listIds: readonly number[],
  lengths: ListLengths,
): Promise<void> {
  await tx.$executeRaw`DELETE FROM standings WHERE list_id = ANY(${listIds}::integer[])`;
  await tx.$executeRaw`
    WITH ${scoredInSql([scoring])},
    ${placedSql(Prisma.sql`l.id = ANY(${listIds}::integer[])`)},
    places AS (
      SELECT *, row_number() OVER (PARTITION BY list_id ORDER BY sort_key DESC, item_id) AS place FROM placed
    ),
    put AS (
      INSERT INTO standings (item_key, list_id, item_id, sort_key, people)
      SELECT item_key, list_id, item_id, sort_key, people FROM places WHERE place <= ${lengths.kept}
    )
    UPDATE standing_lists l SET ready = true, waterline_key = edge.sort_key, waterline_item = edge.item_id
    FROM unnest(${listIds}::integer[]) AS filled (id)
    LEFT JOIN places edge ON edge.list_id = filled.id AND edge.place = ${lengths.kept + 1}
    WHERE l.id = filled.id`;
}
