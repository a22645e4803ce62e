import type { ViewerEraser } from '../../interactions/eraser.ts';
import type { ViewerKey } from '../../interactions/viewer-key.ts';
import { oldestMinute } from './postgres-partitions.ts';
import type { Database } from './prisma-database.ts';
import { addDeltasSql, RECORDING_LOCK } from './record-batch-sql.ts';
import { Prisma } from '../generated/prisma/client.ts';

const CHUNK = 1_000;

export function createPostgresEraser(database: Database, now: () => number = Date.now): ViewerEraser {
  return {
    async erase(viewer) {
      const fromMinute = oldestMinute(now());
      await writeTombstone(database, viewer);
      let interactions = 0;
      for (;;) {
        const erased = await eraseChunk(database, viewer, fromMinute);
        interactions += erased;
        if (erased < CHUNK) break;
      }
      while ((await eraseReactions(database, viewer, fromMinute)) === CHUNK);
      await database.primary((client) => client.rejected.deleteMany({ where: { viewer } }));
      return { interactions };
    },
  };
}

/** Waits for the batches under way; every later one sees the tombstone. */
async function writeTombstone(database: Database, viewer: ViewerKey): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(${RECORDING_LOCK})`;
    await tx.$executeRaw`
      INSERT INTO erasures (viewer_hash, erased_at)
      SELECT sha256(key || uuid_send(${viewer}::uuid)), clock_timestamp() FROM erasure_key
      ON CONFLICT (viewer_hash) DO UPDATE SET erased_at = excluded.erased_at`;
  });
}

/** The oldest rows of the viewer, and the hours they were counted in, out of the rollups in one transaction. */
async function eraseChunk(database: Database, viewer: ViewerKey, fromMinute: number): Promise<number> {
  return database.transaction(async (tx) => {
    const [row] = await tx.$queryRaw<{ erased: number }[]>(Prisma.sql`
      WITH gone AS (
        DELETE FROM interactions WHERE id IN (
          SELECT id FROM interactions WHERE viewer = ${viewer}::uuid ORDER BY id LIMIT ${CHUNK} FOR UPDATE
        ) RETURNING item_key, type, uuid_minute(id) AS minute
      ),
      events AS (SELECT * FROM gone WHERE type NOT IN ('LIKE', 'SAVE')),
      uncounted AS (
        DELETE FROM people p USING (SELECT DISTINCT minute / 60 AS hour, item_key, type FROM events) e
        WHERE p.hour = e.hour AND p.item_key = e.item_key AND p.type = e.type AND p.viewer = ${viewer}::uuid
        RETURNING p.item_key, p.type, p.minute
      ),
      deltas AS MATERIALIZED (
        SELECT item_key, type, minute, sum(events) AS events, sum(people) AS people FROM (
          SELECT item_key, type, minute, -1 AS events, 0 AS people FROM events
          UNION ALL SELECT item_key, type, minute, 0, -1 FROM uncounted
        ) AS change GROUP BY item_key, type, minute
      ),
      ${addDeltasSql(fromMinute)}
      SELECT count(*)::integer AS erased FROM gone`);
    return row?.erased ?? 0;
  });
}

async function eraseReactions(database: Database, viewer: ViewerKey, fromMinute: number): Promise<number> {
  return database.transaction(async (tx) => {
    const [row] = await tx.$queryRaw<{ erased: number }[]>(Prisma.sql`
      WITH gone AS (
        DELETE FROM reactions WHERE (viewer, item_key, type) IN (
          SELECT viewer, item_key, type FROM reactions WHERE viewer = ${viewer}::uuid
          ORDER BY item_key, type LIMIT ${CHUNK} FOR UPDATE
        ) RETURNING item_key, type, since_id
      ),
      deltas AS MATERIALIZED (
        SELECT item_key, type, uuid_minute(since_id) AS minute, -1 AS events, -1 AS people FROM gone WHERE since_id IS NOT NULL
      ),
      ${addDeltasSql(fromMinute)}
      SELECT count(*)::integer AS erased FROM gone`);
    return row?.erased ?? 0;
  });
}
