import { Prisma } from '../generated/prisma/client.ts';

/** Whether the person was erased after this was accepted (ms since the epoch). Costs nothing while nobody is. */
export function erasedSql(viewer: Prisma.Sql, acceptedAtMs: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`(EXISTS (SELECT FROM erasures) AND EXISTS (
    SELECT FROM erasures e, erasure_key k
    WHERE e.viewer_hash = sha256(k.key || uuid_send(${viewer})) AND e.erased_at >= to_timestamp(${acceptedAtMs} / 1000.0)))`;
}
