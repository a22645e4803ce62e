import { INTERACTION_TYPES, type InteractionType } from '../../interactions/interaction.ts';
import {
  MAX_DEPTH,
  type PopularityReader,
  type PopularityReads,
  type Position,
  type RankedItem,
  type SummedRanking,
} from '../../popularity/popularity-reader.ts';
import type { Ranking } from '../../popularity/ranking.ts';
import { PLAN_KEPT } from './named-statements.ts';
import { bucketsOf, scoredSql, windowRowsSql } from './popularity-sql.ts';
import type { Database, Queryable } from './prisma-database.ts';
import { Prisma } from '../generated/prisma/client.ts';

interface StandingRow {
  as_of: Date;
  ready: boolean;
  item_id: string | null;
  sort_key: number;
  people: bigint;
}

interface ScoredRow {
  item_id: string;
  sort_key: number;
  people: bigint;
}

interface CountRow {
  item_id: string;
  type: InteractionType;
  count: bigint;
}

type Read = <T>(work: (client: Queryable) => Promise<T>) => Promise<T>;

/** `now` gives ms since the epoch: how far in the past `asOf` is decides what is summed. */
export function createPostgresPopularityReader(database: Database, now: () => number = Date.now): PopularityReader {
  return {
    ...createReads((work) => database.read(work), now),
    past: (point) => createReads((work) => database.readPast(point, work), now),
  };
}

function createReads(read: Read, now: () => number): PopularityReads {
  return {
    async standings(ranking, window, category, after, limit) {
      const rows = await read((client) =>
        client.$queryRaw<StandingRow[]>(standingsSql(ranking, window ?? 'DECAY', category ?? '', after, limit)),
      );
      const [first] = rows;
      if (first === undefined || !first.ready) return null;
      const items = rows.flatMap(({ item_id, sort_key, people }) =>
        item_id === null ? [] : [toRankedItem(ranking, first.as_of, { item_id, sort_key, people })],
      );
      return { asOf: first.as_of, items };
    },

    sum: (query) =>
      read(async (client) => {
        const asOf = query.asOf ?? (await completeUpTo(client));
        const rows = await client.$queryRaw<ScoredRow[]>(sumSql(query, asOf, now()));
        return { asOf, items: rows.map((row) => toRankedItem(query.ranking, asOf, row)) };
      }),

    async counts(itemIds, window, asOf) {
      const among = Prisma.sql`item_key = w.key`;
      const rows = await read(
        (client) => client.$queryRaw<CountRow[]>`
          WITH wanted AS MATERIALIZED (SELECT key, id FROM items WHERE id = ANY(${itemIds}::text[]))
          SELECT ${PLAN_KEPT} w.id AS item_id, r.type::text, sum(r.events)::bigint AS count
          -- OFFSET: or a small table was read by time, the whole window of all items.
          FROM wanted w CROSS JOIN LATERAL (
            SELECT * FROM (${windowRowsSql(window, bucketsOf(asOf.getTime(), now()), among)}) AS own OFFSET 0
          ) AS r
          GROUP BY w.id, r.type HAVING sum(r.events) > 0`,
      );
      const counts = new Map(itemIds.map((id) => [id, new Map<InteractionType, number>()]));
      for (const type of INTERACTION_TYPES) {
        for (const row of rows) if (row.type === type) counts.get(row.item_id)?.set(type, Number(row.count));
      }
      return counts;
    },
  };
}

/**
 * All that was recorded before it shows in statements that begin after this one, on the same server. A replica has all up to
 * the last commit it has replayed, by the primary's clock; none is far back while a worker runs, since each pass of the
 * standings commits. A replica that has replayed none since it started knows the last pass.
 */
async function completeUpTo(client: Queryable): Promise<Date> {
  const [row] = await client.$queryRaw<{ as_of: Date }[]>`
    SELECT date_trunc('milliseconds', CASE WHEN pg_is_in_recovery()
      THEN coalesce(pg_last_xact_replay_timestamp(), (SELECT as_of FROM standings_state), 'epoch')
      ELSE now() END) AS as_of`;
  if (row === undefined) throw new Error('no row of a SELECT without FROM');
  return row.as_of;
}

function sumSql({ ranking, window, types, category }: SummedRanking, asOf: Date, nowMs: number): Prisma.Sql {
  const scored = scoredSql({
    period: window ?? 'DECAY',
    rankings: [ranking],
    types,
    buckets: bucketsOf(asOf.getTime(), nowMs),
    among: Prisma.sql`true`,
  });
  const among = category === null ? Prisma.empty : Prisma.sql`AND i.category = ${category}`;
  return Prisma.sql`
    WITH ${scored}
    SELECT i.id AS item_id, s.sort_key, s.people
    FROM scored s JOIN items i ON i.key = s.item_key AND i.hidden_at IS NULL ${among}
    ORDER BY s.sort_key DESC, i.id LIMIT ${MAX_DEPTH}`;
}

/** One walk down standings_order_idx; a category that nobody has is ready when the list of all is. */
export function standingsSql(
  ranking: Ranking,
  period: string,
  category: string,
  after: Position | null,
  limit: number,
): Prisma.Sql {
  const below =
    after === null
      ? Prisma.empty
      : Prisma.sql`AND s.sort_key <= ${after.sortKey}::float8
          AND (s.sort_key < ${after.sortKey}::float8 OR s.item_id > ${after.itemId})`;
  const list = Prisma.sql`ranking = ${ranking.name} AND period = ${period}::standing_period`;
  return Prisma.sql`
    SELECT ${PLAN_KEPT} st.as_of, page.item_id, page.sort_key, page.people,
      coalesce(l.ready, (SELECT ready FROM standing_lists WHERE ${list} AND category = ''), false) AS ready
    FROM standings_state st
    LEFT JOIN standing_lists l ON l.ranking = ${ranking.name} AND l.period = ${period}::standing_period AND l.category = ${category}
    LEFT JOIN LATERAL (
      SELECT s.item_id, s.sort_key, s.people
      FROM standings s JOIN items i ON i.key = s.item_key AND i.hidden_at IS NULL
      WHERE s.list_id = l.id ${below}
      ORDER BY s.sort_key DESC, s.item_id LIMIT ${limit}
    ) AS page ON true
    ORDER BY page.sort_key DESC, page.item_id`;
}

/** Decayed scores are kept as log2 of the forward-decayed sum: 2^(key - hours since the epoch / half-life) is the score. */
function toRankedItem(ranking: Ranking, asOf: Date, row: ScoredRow): RankedItem {
  const { item_id: itemId, sort_key: sortKey } = row;
  const score =
    ranking.halfLifeHours === null ? sortKey : 2 ** (sortKey - asOf.getTime() / 3_600_000 / ranking.halfLifeHours);
  return { itemId, score, sortKey, people: Number(row.people) };
}
