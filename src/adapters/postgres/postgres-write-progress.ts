import type { RejectionReason } from '../../interactions/recorder.ts';
import type { SettledWrite, WriteProgressReader } from '../../interactions/write-progress.ts';
import type { Database } from './prisma-database.ts';
import { Prisma } from '../generated/prisma/client.ts';

interface ProgressRow {
  point: string;
  lowest: bigint | null;
  highest: bigint | null;
  id: string | null;
  viewer: string | null;
  reason: RejectionReason | null;
}

export function createPostgresWriteProgress(database: Database): WriteProgressReader {
  return {
    async look(ids) {
      const rows = await database.latest((client) => client.$queryRaw<ProgressRow[]>(progressSql(ids)));
      const [first] = rows;
      if (first === undefined) throw new Error('looking at the progress gave no row');
      const { point, lowest, highest } = first;
      const settled = rows.flatMap(({ id, viewer, reason }): SettledWrite[] =>
        id === null ? [] : [{ id, viewer, rejectedReason: reason }],
      );
      return { settled, waiting: lowest === null || highest === null ? null : { lowest, highest }, point };
    },
  };
}

/**
 * One snapshot for all of it: recording inserts the row and its `touched` in one transaction, and a pass of the standings
 * deletes `touched` and writes scores in one. Whatever the snapshot sees was in the WAL before its insert position is read.
 */
export function progressSql(ids: readonly string[]): Prisma.Sql {
  return Prisma.sql`
    SELECT now.point, now.lowest, now.highest, found.id::text, found.viewer::text, found.reason::text
    FROM (
      SELECT pg_current_wal_insert_lsn()::text AS point,
        (SELECT min(seq) FROM touched) AS lowest, (SELECT max(seq) FROM touched) AS highest
    ) AS now
    LEFT JOIN (
      SELECT id, viewer, NULL::rejection_reason AS reason FROM interactions WHERE id = ANY(${ids}::uuid[])
      UNION ALL
      SELECT interaction_id, viewer, reason FROM rejected WHERE interaction_id = ANY(${ids}::uuid[])
    ) AS found ON true`;
}
