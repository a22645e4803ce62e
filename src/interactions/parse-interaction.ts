import { isItemId } from '../items/item.ts';
import { checkJson } from '../items/storable-json.ts';
import type { UserError, UserErrorCode } from '../items/user-error.ts';
import type { IdempotencyKey } from './idempotency.ts';
import {
  derivedInteractionId,
  newInteractionId,
  newInteractionIdAt,
  occurredAtMs,
  parseInteractionId,
} from './interaction-id.ts';
import type { Interaction, InteractionType } from './interaction.ts';
import type { ViewerKey } from './viewer-key.ts';

/** An interaction as a client sends it. */
export interface RawInteraction {
  readonly itemId: string;
  readonly type: InteractionType;
  readonly retraction: boolean;
  readonly id: string | null;
  readonly occurredAt: Date | null;
  readonly metadata: unknown;
  readonly idempotency: IdempotencyKey | null;
  /** Leads to the input: `['input']`, or `['inputs', '3']`. */
  readonly path: readonly string[];
}

export type ParsedInteraction =
  | { readonly ok: true; readonly interaction: Interaction }
  | { readonly ok: false; readonly userErrors: UserError[] };

export const MAX_AHEAD_MS = 5 * 60_000;
const DAY_MS = 86_400_000;
/** As JSON in UTF-8; an import holds its rows to the same. */
export const MAX_METADATA_BYTES = 4 * 1024;

/** The last millisecond a UUIDv7 can name. */
const MAX_ID_MS = 2 ** 48 - 1;

/** All that can be said of one input alone; whether its item exists is another question. */
export function parseInteraction(
  raw: RawInteraction,
  viewer: ViewerKey,
  nowMs: number,
  maxAgeDays: number,
): ParsedInteraction {
  const userErrors: UserError[] = [];
  const fail = (code: UserErrorCode, field: string, message: string): void =>
    void userErrors.push({ code, field: [...raw.path, field], message });

  if (!isItemId(raw.itemId)) fail('INVALID_ITEM_ID', 'itemId', 'The item id must be 1 to 256 characters.');

  const metadata = checkJson(raw.metadata, MAX_METADATA_BYTES);
  if (!metadata.ok) {
    if (metadata.fault === 'TOO_LARGE')
      fail('METADATA_TOO_LARGE', 'metadata', 'Metadata must be at most 4 KiB as JSON.');
    else
      fail(
        'INVALID_METADATA',
        'metadata',
        'Metadata must be JSON without NUL or half surrogate pairs, at most 32 deep.',
      );
  }

  const givenMs = raw.occurredAt?.getTime();
  const timeField = givenMs === undefined ? 'id' : 'occurredAt';
  const id = givenMs === undefined || (givenMs >= 0 && givenMs <= MAX_ID_MS) ? idOf(raw, givenMs) : null;
  // An id of our own making needs no check, and would fail it while the clock is being set back.
  const isOurs = raw.id === null && raw.idempotency === null && givenMs === undefined;
  const atMs = id === null || id === undefined || isOurs ? givenMs : occurredAtMs(id);
  if (id === undefined) fail('INVALID_ID', 'id', 'The id must be a UUIDv7.');
  if (givenMs !== undefined && atMs !== undefined && givenMs !== atMs) {
    fail('TIME_MISMATCH', 'occurredAt', 'occurredAt must be the millisecond in the id.');
  } else if (atMs !== undefined && atMs > nowMs + MAX_AHEAD_MS) {
    fail('TIME_IN_FUTURE', timeField, 'The time must be at most 5 minutes ahead.');
  } else if (atMs !== undefined && atMs < nowMs - maxAgeDays * DAY_MS) {
    fail('TIME_TOO_OLD', timeField, `The time must be at most ${maxAgeDays} days ago.`);
  }

  if (userErrors.length > 0 || typeof id !== 'string' || !metadata.ok) return { ok: false, userErrors };
  const { itemId, type, retraction } = raw;
  return {
    ok: true,
    interaction: { id, itemId, viewer, type, retraction, metadata: metadata.value, acceptedAtMs: nowMs },
  };
}

/** The client's id, or one from its key, or a new one. Undefined when what the client gave is no UUIDv7. */
function idOf({ id, idempotency }: RawInteraction, givenMs: number | undefined): string | undefined {
  if (id !== null) return parseInteractionId(id);
  if (idempotency === null) return givenMs === undefined ? newInteractionId() : newInteractionIdAt(givenMs);
  const key = parseInteractionId(idempotency.key);
  if (key === undefined || idempotency.part === null) return key;
  return derivedInteractionId(givenMs ?? occurredAtMs(key), `${key}:${idempotency.part}`);
}
