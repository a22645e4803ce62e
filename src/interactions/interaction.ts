import type { JsonValue } from '../runtime/json.ts';
import type { ViewerKey } from './viewer-key.ts';

/** In the order of the schema's enum, which is also the order of counts. */
export const INTERACTION_TYPES = ['VIEW', 'LIKE', 'SAVE', 'SHARE', 'COMMENT', 'PURCHASE'] as const;
export type InteractionType = (typeof INTERACTION_TYPES)[number];

/** Reactions stand until retracted, at most one of each per person and item. */
export const REACTION_TYPES = ['LIKE', 'SAVE'] as const;
export type ReactionType = (typeof REACTION_TYPES)[number];

export function isReactionType(type: InteractionType): type is ReactionType {
  return type === 'LIKE' || type === 'SAVE';
}

/** One thing one person did to one item at one time. It never changes once accepted. */
export interface Interaction {
  /** UUIDv7, lower case: identity, idempotency key, and (its first 48 bits) when it happened. */
  readonly id: string;
  readonly itemId: string;
  readonly viewer: ViewerKey;
  readonly type: InteractionType;
  /** True takes a reaction back; then `type` is a ReactionType. */
  readonly retraction: boolean;
  /** At most 4 KiB as JSON, without NUL or lone surrogates. */
  readonly metadata: JsonValue | null;
  /** When the API or an import took it in, ms since the epoch. */
  readonly acceptedAtMs: number;
}

export type InteractionStatus = 'ACCEPTED' | 'RECORDED' | 'REJECTED';
