import { hash } from 'node:crypto';
import { senderOf } from '../../interactions/message.ts';
import type { RejectedEntry } from '../../interactions/recorder.ts';
import { erasedSql } from './erased-sql.ts';
import { plainArray, quoted } from './plain-array.ts';
import { Prisma } from '../generated/prisma/client.ts';

/** Once per body: a message that comes again after a crash is not kept twice; nothing of a person erased since they sent it. */
export function keepRejectedSql(entries: readonly RejectedEntry[]): Prisma.Sql {
  const senders = entries.map(({ interaction, body }) => interaction ?? senderOf(body));
  return Prisma.sql`
    INSERT INTO rejected (body_hash, body, interaction_id, viewer, reason, detail)
    SELECT decode(hash, 'hex'), decode(body, 'base64'), interaction_id, viewer, reason, detail
    FROM unnest(
      ${plainArray(entries.map(({ body }) => hash('sha256', body, 'hex')))}::text[],
      ${plainArray(entries.map(({ body }) => quoted(Buffer.from(body).toString('base64'))))}::text[],
      ${plainArray(entries.map(({ interaction }) => interaction?.id ?? 'NULL'))}::uuid[],
      ${plainArray(senders.map((sender) => sender?.viewer ?? 'NULL'))}::uuid[],
      ${plainArray(entries.map(({ reason }) => reason))}::rejection_reason[],
      ${plainArray(entries.map(({ detail }) => quoted(detail.replaceAll('\0', '').toWellFormed().slice(0, 1_000))))}::text[],
      ${plainArray(senders.map((sender) => sender?.acceptedAtMs ?? 'NULL'))}::float8[]
    ) AS input (hash, body, interaction_id, viewer, reason, detail, accepted_at)
    WHERE NOT ${erasedSql(Prisma.sql`input.viewer`, Prisma.sql`input.accepted_at`)}
    ORDER BY hash
    ON CONFLICT (body_hash) DO NOTHING`;
}
