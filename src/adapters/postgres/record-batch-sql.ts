import { isReactionType, type Interaction, type InteractionType } from '../../interactions/interaction.ts';
import { applyReactionEvents } from '../../interactions/reaction.ts';
import type { RecordEntry, RejectedEntry } from '../../interactions/recorder.ts';
import { erasedSql } from './erased-sql.ts';
import { keepRejectedSql } from './keep-rejected-sql.ts';
import { PLAN_KEPT } from './named-statements.ts';
import { plainArray, quoted } from './plain-array.ts';
import { Prisma } from '../generated/prisma/client.ts';

export interface KeyedEntry {
  readonly entry: RecordEntry;
  readonly itemKey: bigint;
}

/** Recorders hold it shared while they record, so that an erasure (exclusive) cannot miss a batch on its way. */
export const RECORDING_LOCK = 4_717_210;
/** Of a row of `reactions r`: written by this transaction. */
const IS_MADE = Prisma.sql`r.xmin = pg_current_xact_id()::xid`;

/**
 * Shares the recording lock, and sets up the transaction: with many partitions the planner's estimates pass jit_above_cost, and
 * compiling took 450 ms for a statement of 40 ms.
 */
export const HOLD_RECORDING_SQL = Prisma.sql`
  SELECT ${PLAN_KEPT} pg_advisory_xact_lock_shared(${RECORDING_LOCK}), set_config('jit', 'off', true)`;

/**
 * First statement: shares the recording lock, and locks the reactions of the batch in key order, making those that are not
 * there as the batch alone would have them. The next statement's snapshot then holds the last committed state of the others.
 * @returns null where there is nothing to lock but what `isHeld`
 */
export function lockReactionsSql(batch: readonly KeyedEntry[], isHeld: boolean): Prisma.Sql | null {
  const reactions = reactionsOf(batch);
  if (reactions.length === 0) return isHeld ? null : HOLD_RECORDING_SQL;
  return Prisma.sql`
    WITH held AS MATERIALIZED (${HOLD_RECORDING_SQL})
    INSERT INTO reactions (viewer, item_key, type, since_id, latest_id, retracted_id)
    SELECT ${PLAN_KEPT} viewer, item_key, type, since_id, latest_id, retracted_id
    FROM held, unnest(
      ${plainArray(reactions.map(({ viewer }) => viewer))}::uuid[],
      ${plainArray(reactions.map(({ itemKey }) => itemKey))}::bigint[],
      ${plainArray(reactions.map(({ type }) => type))}::interaction_type[],
      ${plainArray(reactions.map(({ sinceId }) => sinceId ?? 'NULL'))}::uuid[],
      ${plainArray(reactions.map(({ latestId }) => latestId ?? 'NULL'))}::uuid[],
      ${plainArray(reactions.map(({ retractedId }) => retractedId ?? 'NULL'))}::uuid[]
    ) AS input (viewer, item_key, type, since_id, latest_id, retracted_id)
    ORDER BY viewer, item_key, type
    -- Locks what is there, and writes nothing.
    ON CONFLICT (viewer, item_key, type) DO UPDATE SET item_key = excluded.item_key WHERE false`;
}

/** Each reaction that the batch is about, as it were if there were nothing but the batch. */
function reactionsOf(batch: readonly KeyedEntry[]) {
  const reactions = new Map<
    string,
    { viewer: string; itemKey: bigint; type: InteractionType; events: Interaction[] }
  >();
  for (const { entry, itemKey } of batch) {
    const { viewer, type } = entry.interaction;
    if (!isReactionType(type)) continue;
    const key = `${viewer}${itemKey}${type}`;
    const known = reactions.get(key);
    if (known === undefined) reactions.set(key, { viewer, itemKey, type, events: [entry.interaction] });
    else known.events.push(entry.interaction);
  }
  return Array.from(reactions.values(), ({ events, ...reaction }) => {
    const { sinceId, retractedId } = applyReactionEvents({ sinceId: null, retractedId: null }, events);
    let latestId: string | null = null;
    for (const { id, retraction } of events) if (!retraction && (latestId === null || id > latestId)) latestId = id;
    return { ...reaction, sinceId, latestId, retractedId };
  });
}

/** Drops what the first statement made for interactions that were not recorded: of people erased, with ids used before. */
export function dropUnfoundedReactionsSql(batch: readonly KeyedEntry[]): Prisma.Sql {
  const viewers = batch.map(({ entry }) => entry.interaction.viewer);
  return Prisma.sql`
    DELETE FROM reactions r
    WHERE r.viewer = ANY(${plainArray(viewers)}::uuid[]) AND ${IS_MADE} AND NOT EXISTS (
      SELECT FROM interactions i
      WHERE i.id IN (r.since_id, r.latest_id, r.retracted_id)
        AND i.viewer = r.viewer AND i.item_key = r.item_key AND i.type = r.type)`;
}

export interface RecordedRow {
  readonly fresh: number;
  /** Ids of people who were erased. */
  readonly discarded: string[];
  /** Ids recorded before, as they are. */
  readonly repeated: string[];
  /** Ids recorded before, for somebody or something else. */
  readonly reused: string[];
  /** Ids that another transaction has recorded meanwhile: only the next statement sees for whom. */
  readonly unseen: string[];
}

export interface RecordBatchOptions {
  readonly oldestMinute: number;
  readonly today: number;
  readonly mayBeKnown: boolean;
  /** Kept beside the batch. */
  readonly rejected: readonly RejectedEntry[];
}

/**
 * Second statement, the whole batch at once: new interactions, and from those alone people, reactions, rollups and what is
 * to be rescored. Every write is in key order, and every batch writes the tables in the same order, so concurrent workers
 * wait for each other but never in a circle. Minutes older than `oldestMinute` are not kept, and `today` is the first of the
 * day. Unless some `mayBeKnown`, an id recorded before fails the whole: looking for conflicts row by row is a tenth of what a
 * batch costs Postgres.
 */
export function recordBatchSql(
  batch: readonly KeyedEntry[],
  { oldestMinute, today, mayBeKnown, rejected }: RecordBatchOptions,
): Prisma.Sql {
  const rows = batch.map(({ entry }) => entry.interaction);
  return Prisma.sql`
    WITH input AS MATERIALIZED (
      SELECT i.*, ${erasedSql(Prisma.sql`i.viewer`, Prisma.sql`i.accepted_at`)} AS erased
      FROM unnest(
        ${plainArray(rows.map((row) => row.id))}::uuid[],
        ${plainArray(rows.map((row) => row.viewer))}::uuid[],
        ${plainArray(batch.map(({ itemKey }) => itemKey))}::bigint[],
        ${plainArray(rows.map((row) => row.type))}::interaction_type[],
        ${plainArray(rows.map((row) => row.retraction))}::boolean[],
        ${plainArray(rows.map((row) => (row.metadata === null ? 'NULL' : quoted(JSON.stringify(row.metadata)))))}::jsonb[],
        ${plainArray(rows.map((row) => row.acceptedAtMs))}::float8[]
      ) AS i (id, viewer, item_key, type, retraction, metadata, accepted_at)
    ),
    fresh AS (
      INSERT INTO interactions (id, viewer, item_key, type, retraction, metadata)
      SELECT id, viewer, item_key, type, retraction, metadata FROM input WHERE NOT erased ORDER BY id
      ${mayBeKnown ? Prisma.sql`ON CONFLICT (id) DO NOTHING` : Prisma.empty}
      RETURNING id, viewer, item_key, type, retraction, uuid_minute(id) AS minute
    ),
    counted AS (
      INSERT INTO people (hour, item_key, type, viewer, minute)
      SELECT DISTINCT ON (minute / 60, item_key, type, viewer) minute / 60, item_key, type, viewer, minute
      FROM fresh WHERE type NOT IN ('LIKE', 'SAVE')
      ORDER BY minute / 60, item_key, type, viewer, id
      ON CONFLICT (hour, item_key, type, viewer) DO NOTHING
      RETURNING item_key, type, minute
    ),
    met AS MATERIALIZED (
      SELECT f.id, f.retraction, r.viewer, r.item_key, r.type, r.since_id, r.latest_id, r.retracted_id,
        r.ctid AS place, ${IS_MADE} AS made
      FROM fresh f JOIN reactions r USING (viewer, item_key, type)
      WHERE f.type IN ('LIKE', 'SAVE')
    ),
    refolded AS (${refoldedSql(batch.length)}),
    kept AS (
      UPDATE reactions r
      SET since_id = f.since_id, latest_id = f.latest_id, retracted_id = f.retracted_id
      FROM refolded f
      -- Locked by the statement before, so each row is still where it was read.
      WHERE r.ctid = f.place
        AND (r.since_id, r.latest_id, r.retracted_id) IS DISTINCT FROM (f.since_id, f.latest_id, f.retracted_id)
    ),
    reacted AS (
      SELECT item_key, type, old_since_id, since_id FROM refolded
      UNION ALL
      SELECT item_key, type, NULL, since_id FROM met WHERE made AND since_id = id AND ${isAllFresh(batch.length)}
    ),
    deltas AS MATERIALIZED (
      -- As integers: the rollups would sum bigint as numeric.
      SELECT item_key, type, minute, sum(events)::integer AS events, sum(people)::integer AS people
      FROM (
        SELECT item_key, type, minute, 1 AS events, 0 AS people FROM fresh WHERE type NOT IN ('LIKE', 'SAVE')
        UNION ALL SELECT item_key, type, minute, 0, 1 FROM counted
        UNION ALL SELECT item_key, type, uuid_minute(since_id), 1, 1 FROM reacted
          WHERE since_id IS NOT NULL AND since_id IS DISTINCT FROM old_since_id
        UNION ALL SELECT item_key, type, uuid_minute(old_since_id), -1, -1 FROM reacted
          WHERE old_since_id IS NOT NULL AND since_id IS DISTINCT FROM old_since_id
      ) AS change (item_key, type, minute, events, people)
      GROUP BY item_key, type, minute
    ),
    ${addDeltasSql(oldestMinute, today)},
    ${rejected.length > 0 ? Prisma.sql`to_rejected AS (${keepRejectedSql(rejected)}),` : Prisma.empty}
    known AS (
      SELECT i.id, before.id IS NOT NULL AS seen,
        (before.viewer, before.item_key, before.type, before.retraction) = (i.viewer, i.item_key, i.type, i.retraction) AS same
      FROM input i LEFT JOIN LATERAL (
        SELECT id, viewer, item_key, type, retraction FROM interactions WHERE id = i.id LIMIT 1
      ) AS before ON true
      -- NOT IN, as in the standings: NOT EXISTS compared each with each.
      WHERE NOT ${isAllFresh(batch.length)} AND NOT i.erased AND i.id NOT IN (SELECT id FROM fresh)
    )
    SELECT ${PLAN_KEPT}
      (SELECT count(*) FROM fresh)::integer AS fresh,
      ARRAY(SELECT id::text FROM input WHERE erased) AS discarded,
      ARRAY(SELECT id::text FROM known WHERE seen AND same) AS repeated,
      ARRAY(SELECT id::text FROM known WHERE seen AND NOT same) AS reused,
      ARRAY(SELECT id::text FROM known WHERE NOT seen) AS unseen`;
}

/** Then a reaction that was made for the batch is as it has to be. */
function isAllFresh(rows: number): Prisma.Sql {
  return Prisma.sql`(SELECT count(*) FROM fresh) = ${rows}`;
}

/**
 * The rule of src/interactions/reaction.ts over the fresh givings and retractions of the batch. Only when a retraction
 * comes late, with givings known after it, are older rows looked up: by viewer and id, so a short walk.
 */
function refoldedSql(rows: number): Prisma.Sql {
  return Prisma.sql`
      WITH state AS (
        SELECT id, retraction, place, viewer, item_key, type,
          CASE WHEN NOT made THEN since_id END AS since_id,
          CASE WHEN NOT made THEN latest_id END AS latest_id,
          greatest(CASE WHEN NOT made THEN retracted_id END,
            (max(id::text COLLATE "C") FILTER (WHERE retraction) OVER (PARTITION BY viewer, item_key, type))::uuid
          ) AS retracted_id
        FROM met
        WHERE NOT (made AND ${isAllFresh(rows)})
      ),
      folded AS (
        SELECT place, viewer, item_key, type, since_id AS old_since_id, retracted_id,
          CASE WHEN retracted_id IS NULL OR since_id > retracted_id THEN since_id END AS standing_id,
          latest_id AS old_latest_id,
          greatest(latest_id, max(id::text COLLATE "C") FILTER (WHERE NOT retraction)::uuid) AS latest_id,
          (min(id::text COLLATE "C") FILTER (WHERE NOT retraction AND (retracted_id IS NULL OR id > retracted_id)))::uuid AS given_id
        FROM state
        GROUP BY place, viewer, item_key, type, since_id, latest_id, retracted_id
      )
      SELECT f.place, f.item_key, f.type, f.old_since_id, f.latest_id, f.retracted_id,
        least(f.standing_id, f.given_id, earlier.id) AS since_id
      FROM folded f
      LEFT JOIN LATERAL (
        SELECT i.id FROM interactions i
        WHERE f.standing_id IS NULL AND f.old_latest_id > f.retracted_id
          AND i.viewer = f.viewer AND i.id > f.retracted_id
          AND i.item_key = f.item_key AND i.type = f.type AND NOT i.retraction
        ORDER BY i.id LIMIT 1
      ) AS earlier ON true`;
}

/** Adds a CTE `deltas` (item_key, type, minute, events, people) to every rollup and marks its items for rescoring. */
function addDeltasSql(oldestMinute: number, today: number): Prisma.Sql {
  return Prisma.sql`
    to_minutes AS (
      INSERT INTO minutes (item_key, minute, type, events, people)
      SELECT item_key, minute, type, events, people FROM deltas
      WHERE minute >= ${oldestMinute} AND (events <> 0 OR people <> 0)
      ORDER BY item_key, minute, type
      ON CONFLICT (item_key, minute, type)
      DO UPDATE SET events = minutes.events + excluded.events, people = minutes.people + excluded.people
    ),
    to_hours AS (
      INSERT INTO hours (item_key, hour, type, events, people)
      SELECT item_key, minute / 60, type, sum(events), sum(people) FROM deltas
      GROUP BY item_key, minute / 60, type
      ORDER BY item_key, minute / 60, type
      ON CONFLICT (item_key, hour, type)
      DO UPDATE SET events = hours.events + excluded.events, people = hours.people + excluded.people
    ),
    to_days AS (
      INSERT INTO days (item_key, day, type, events, people)
      SELECT item_key, minute / 1440, type, sum(events), sum(people) FROM deltas
      GROUP BY item_key, minute / 1440, type
      ORDER BY item_key, minute / 1440, type
      ON CONFLICT (item_key, day, type)
      DO UPDATE SET events = days.events + excluded.events, people = days.people + excluded.people
    ),
    to_totals AS (
      INSERT INTO totals (item_key, type, events, people)
      SELECT item_key, type, sum(events), sum(people) FROM deltas
      GROUP BY item_key, type
      ORDER BY item_key, type
      ON CONFLICT (item_key, type)
      DO UPDATE SET events = totals.events + excluded.events, people = totals.people + excluded.people
    ),
    to_touched AS (
      INSERT INTO touched (item_keys, past_keys)
      SELECT array_agg(DISTINCT item_key), coalesce(array_agg(DISTINCT item_key) FILTER (WHERE minute < ${today}), '{}')
      FROM deltas HAVING count(*) > 0
    )`;
}
