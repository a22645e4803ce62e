import type { FoundInteraction, InteractionReader, ReactionRow } from '../../interactions/interaction-reader.ts';
import { occurredAtMs } from '../../interactions/interaction-id.ts';
import { isReactionType, type Interaction, type InteractionType } from '../../interactions/interaction.ts';
import { decodeMessage } from '../../interactions/message.ts';
import type { RejectionReason } from '../../interactions/recorder.ts';
import type { JsonValue } from '../../runtime/json.ts';
import { PLAN_KEPT } from './named-statements.ts';
import type { Database } from './prisma-database.ts';
import { Prisma, type PrismaClient } from '../generated/prisma/client.ts';

interface InteractionRow {
  id: string;
  viewer: string;
  item_id: string;
  type: InteractionType;
  retraction: boolean;
  metadata: JsonValue | null;
}

interface RejectedRow {
  id: string;
  body: Uint8Array;
  reason: RejectionReason;
}

interface ReactionStateRow {
  item_id: string;
  type: InteractionType;
  since_id: string | null;
  retracted_id: string | null;
}

const COLUMNS = Prisma.sql`
  i.id::text, i.viewer::text, items.id AS item_id, i.type::text, i.retraction, i.metadata
  FROM interactions i JOIN items ON items.key = i.item_key`;

const REACTION_COLUMNS = Prisma.sql`
  items.id AS item_id, r.type::text, r.since_id::text, r.retracted_id::text
  FROM reactions r JOIN items ON items.key = r.item_key`;

export function createPostgresInteractionReader(database: Database): InteractionReader {
  return {
    find: (ids, viewer) =>
      database.latest(async (client) => {
        const recorded = await findRecorded(client, ids, viewer);
        const others = ids.filter((id) => !recorded.has(id));
        if (others.length === 0) return recorded;
        return new Map([...recorded, ...(await findRejected(client, others, viewer))]);
      }),

    async recent(viewer, beforeId, limit) {
      const before = beforeId === null ? Prisma.empty : Prisma.sql`AND i.id < ${beforeId}::uuid`;
      const rows = await database.latest(
        (client) => client.$queryRaw<InteractionRow[]>`
          SELECT ${COLUMNS}
          WHERE i.viewer = ${viewer}::uuid ${before} AND items.hidden_at IS NULL
          ORDER BY i.id DESC LIMIT ${limit}`,
      );
      return rows.map(toInteraction);
    },

    async reactionsTo(viewer, itemIds) {
      const rows = await database.latest(
        (client) => client.$queryRaw<ReactionStateRow[]>`
          SELECT ${PLAN_KEPT} ${REACTION_COLUMNS}
          WHERE ${isTo(viewer, itemIds)}`,
      );
      return rows.flatMap(toReactionRow);
    },

    async standingReactions(viewer, type, beforeId, limit, itemIds) {
      const toItems = Prisma.sql`UNION SELECT ${REACTION_COLUMNS} WHERE ${isTo(viewer, itemIds)}`;
      const rows = await database.latest(
        (client) => client.$queryRaw<ReactionStateRow[]>`
          (SELECT ${REACTION_COLUMNS}
            WHERE r.viewer = ${viewer}::uuid AND r.since_id IS NOT NULL AND items.hidden_at IS NULL
              ${type === null ? Prisma.empty : Prisma.sql`AND r.type = ${type}::interaction_type`}
              ${beforeId === null ? Prisma.empty : Prisma.sql`AND r.since_id < ${beforeId}::uuid`}
            ORDER BY r.since_id DESC LIMIT ${limit})
          ${itemIds.length === 0 ? Prisma.empty : toItems}`,
      );
      return rows.flatMap(toReactionRow);
    },
  };
}

function isTo(viewer: string, itemIds: readonly string[]): Prisma.Sql {
  return Prisma.sql`r.viewer = ${viewer}::uuid AND items.id = ANY(${itemIds}::text[]) AND items.hidden_at IS NULL`;
}

function toReactionRow({ item_id, type, since_id, retracted_id }: ReactionStateRow): ReactionRow[] {
  if (!isReactionType(type)) return [];
  return [{ itemId: item_id, type, state: { sinceId: since_id, retractedId: retracted_id } }];
}

type Found = Map<string, FoundInteraction>;

async function findRecorded(client: PrismaClient, ids: readonly string[], viewer: string | null): Promise<Found> {
  const whose = viewer === null ? Prisma.empty : Prisma.sql`AND i.viewer = ${viewer}::uuid`;
  const rows = await client.$queryRaw<InteractionRow[]>`
    SELECT ${COLUMNS} WHERE i.id = ANY(${ids}::uuid[]) ${whose}`;
  return new Map(rows.map((row) => [row.id, { status: 'RECORDED', interaction: toInteraction(row) }]));
}

/** Of several rejections under one id the last. */
async function findRejected(client: PrismaClient, ids: readonly string[], viewer: string | null): Promise<Found> {
  const whose = viewer === null ? Prisma.empty : Prisma.sql`AND viewer = ${viewer}::uuid`;
  const rows = await client.$queryRaw<RejectedRow[]>`
    SELECT DISTINCT ON (interaction_id) interaction_id::text AS id, body, reason::text
    FROM rejected WHERE interaction_id = ANY(${ids}::uuid[]) ${whose}
    ORDER BY interaction_id, seq DESC`;
  return new Map(
    rows.flatMap(({ id, body, reason }): [string, FoundInteraction][] => {
      const decoded = decodeMessage(body);
      return decoded.ok ? [[id, { status: 'REJECTED', interaction: decoded.interaction, reason }]] : [];
    }),
  );
}

/** When it was accepted is not kept; when it happened stands in for it. */
function toInteraction(row: InteractionRow): Interaction {
  return {
    id: row.id,
    viewer: row.viewer,
    itemId: row.item_id,
    type: row.type,
    retraction: row.retraction,
    metadata: row.metadata,
    acceptedAtMs: occurredAtMs(row.id),
  };
}
