import { Kind, type GraphQLResolveInfo } from 'graphql';
import type { InteractionType, ReactionType } from '../../../interactions/interaction.ts';
import type { RawInteraction } from '../../../interactions/parse-interaction.ts';
import type { RecordInteractionResult } from '../../../interactions/record-interaction.ts';
import type { KnownInteraction } from '../../../interactions/viewer-history.ts';
import type { Item } from '../../../items/item.ts';
import type { RawItem } from '../../../items/parse-item.ts';
import type { UserError } from '../../../items/user-error.ts';
import { PublicError } from '../../../runtime/errors.ts';
import { requireAdmin, requireWriter } from '../authorize.ts';
import type { ApiContext } from '../context.ts';
import { MAX_INT } from './interaction-counts.ts';

interface InteractionInput {
  readonly itemId: string;
  readonly type: InteractionType;
  readonly id?: string | null;
  readonly occurredAt?: Date | null;
  readonly metadata?: unknown;
}

interface RetractInput extends InteractionInput {
  readonly type: ReactionType;
}

interface InteractionPayload {
  readonly interaction: KnownInteraction | null;
  readonly userErrors: readonly UserError[];
}

const MAX_BULK = 1_000;
const NO_ERRORS: readonly UserError[] = [];
const INPUT_PATH = ['input'];

export const mutation = {
  recordInteraction: (
    _: unknown,
    { input }: { input: InteractionInput },
    context: ApiContext,
    info: GraphQLResolveInfo,
  ) => recordOne(input, false, context, info),

  retractInteraction: (_: unknown, { input }: { input: RetractInput }, context: ApiContext, info: GraphQLResolveInfo) =>
    recordOne(input, true, context, info),

  async recordInteractions(
    _: unknown,
    { inputs }: { inputs: readonly InteractionInput[] },
    context: ApiContext,
    info: GraphQLResolveInfo,
  ): Promise<{ results: InteractionPayload[] }> {
    context.patience.check();
    const viewer = requireWriter(context);
    checkBulk('inputs', inputs);
    const prefix = isOnlyField(info) ? '' : `${String(info.path.key)}:`;
    const raw = inputs.map((input, index) =>
      rawOf(input, false, ['inputs', String(index)], context.idempotencyKey, `${prefix}${index}`),
    );
    const results = await context.useCases.recordInteraction.record(viewer, raw, {
      withinMs: context.patience.leftMs(),
    });
    return { results: results.map(payloadOf) };
  },

  async upsertItems(
    _: unknown,
    { items }: { items: readonly RawItem[] },
    context: ApiContext,
  ): Promise<{ items: Item[]; userErrors: UserError[] }> {
    requireAdmin(context);
    context.patience.check();
    checkBulk('items', items);
    return context.useCases.catalogue.upsert(items);
  },

  async hideItems(
    _: unknown,
    { ids, hidden }: { ids: readonly string[]; hidden: boolean },
    context: ApiContext,
  ): Promise<{ ids: string[]; userErrors: UserError[] }> {
    requireAdmin(context);
    context.patience.check();
    checkBulk('ids', ids);
    return context.useCases.catalogue.hide(ids, hidden);
  },

  async eraseViewer(
    _: unknown,
    whom: { userId?: string | null; deviceId?: string | null },
    context: ApiContext,
  ): Promise<{ erasedInteractions: number | null; userErrors: readonly UserError[] }> {
    requireAdmin(context);
    context.patience.check();
    // Of a person with a long history it takes minutes.
    context.patience.waive();
    const erased = await context.useCases.eraseViewer(whom);
    if (!erased.ok) return { erasedInteractions: null, userErrors: erased.userErrors };
    return { erasedInteractions: Math.min(erased.erasedInteractions, MAX_INT), userErrors: NO_ERRORS };
  },
};

async function recordOne(
  input: InteractionInput,
  retraction: boolean,
  context: ApiContext,
  info: GraphQLResolveInfo,
): Promise<InteractionPayload> {
  // Those of one document run one after another.
  context.patience.check();
  const viewer = requireWriter(context);
  const part = context.idempotencyKey === null || isOnlyField(info) ? null : String(info.path.key);
  const raw = rawOf(input, retraction, INPUT_PATH, context.idempotencyKey, part);
  const [result] = await context.useCases.recordInteraction.record(viewer, [raw], {
    withinMs: context.patience.leftMs(),
  });
  if (result === undefined) throw new Error('no result for the only input');
  return payloadOf(result);
}

function rawOf(
  { itemId, type, id, occurredAt, metadata }: InteractionInput,
  retraction: boolean,
  path: readonly string[],
  key: string | null,
  part: string | null,
): RawInteraction {
  return {
    itemId,
    type,
    retraction,
    id: id ?? null,
    occurredAt: occurredAt ?? null,
    metadata,
    idempotency: key === null ? null : { key, part },
    path,
  };
}

function payloadOf(result: RecordInteractionResult): InteractionPayload {
  if (!result.ok) return { interaction: null, userErrors: result.userErrors };
  return {
    interaction: { interaction: result.interaction, status: 'ACCEPTED', rejectedReason: null },
    userErrors: NO_ERRORS,
  };
}

/** Then the request's Idempotency-Key can be the interaction's id. */
function isOnlyField({ operation }: GraphQLResolveInfo): boolean {
  const { selections } = operation.selectionSet;
  return selections.length === 1 && selections[0]?.kind === Kind.FIELD;
}

/** @throws PublicError BAD_USER_INPUT */
function checkBulk(name: string, list: readonly unknown[]): void {
  if (list.length > MAX_BULK) throw new PublicError('BAD_USER_INPUT', `\`${name}\` must be at most ${MAX_BULK}.`);
}
