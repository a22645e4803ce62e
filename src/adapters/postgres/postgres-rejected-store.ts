import type { RejectionReason } from '../../interactions/recorder.ts';
import type { RejectedFilter, RejectedStore } from '../../interactions/rejected-store.ts';
import type { Database } from './prisma-database.ts';
import { Prisma } from '../generated/prisma/client.ts';

const MAX_COUNTED = 10_000;

export function createPostgresRejectedStore(database: Database): RejectedStore {
  return {
    list: (filter, afterSeq, limit) =>
      database.primary((client) =>
        client.rejected.findMany({
          where: {
            seq: { gt: afterSeq, ...(filter.seqs === undefined ? {} : { in: [...filter.seqs] }) },
            ...(filter.reason === undefined ? {} : { reason: filter.reason }),
          },
          orderBy: { seq: 'asc' },
          take: limit,
          select: { seq: true, interactionId: true, reason: true, detail: true, rejectedAt: true, body: true },
        }),
      ),
    replay: (filter) =>
      database.primary(
        (client) => client.$executeRaw`
          WITH gone AS (DELETE FROM rejected WHERE ${matching(filter)} RETURNING seq, body)
          INSERT INTO outbox (body) SELECT body FROM gone ORDER BY seq`,
      ),
    discard: (filter) =>
      database.primary((client) => client.$executeRaw`DELETE FROM rejected WHERE ${matching(filter)}`),
    async countByReason() {
      const rows = await database.primary(
        (client) => client.$queryRaw<{ reason: RejectionReason; count: number }[]>`
          SELECT reason, count(*)::int AS count
          FROM (SELECT reason FROM rejected ORDER BY seq LIMIT ${MAX_COUNTED}) AS oldest GROUP BY reason`,
      );
      return new Map(rows.map(({ reason, count }) => [reason, count]));
    },
  };
}

function matching(filter: RejectedFilter): Prisma.Sql {
  const conditions = [Prisma.sql`true`];
  if (filter.reason !== undefined) conditions.push(Prisma.sql`reason = ${filter.reason}::rejection_reason`);
  if (filter.seqs !== undefined) conditions.push(Prisma.sql`seq = ANY(${filter.seqs}::bigint[])`);
  return Prisma.join(conditions, ' AND ');
}
