import { isRecord } from '../runtime/is-record.ts';
import { INTERACTION_TYPES, isReactionType, type Interaction, type InteractionType } from './interaction.ts';
import { parseInteractionId } from './interaction-id.ts';
import { isItemId } from '../items/item.ts';
import { checkJson } from '../items/storable-json.ts';

/** The version this build writes, and the highest it can read. */
export const MESSAGE_VERSION = 1;
/** Above any message we write: 4 KiB of metadata, escaped, and an id of 256 characters. */
export const MAX_MESSAGE_BYTES = 64 * 1024;

export type MessageFault = 'INVALID_MESSAGE' | 'NEWER_VERSION';
export type DecodedMessage =
  | { readonly ok: true; readonly interaction: Interaction }
  | { readonly ok: false; readonly reason: MessageFault; readonly detail: string };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TYPES: ReadonlySet<unknown> = new Set(INTERACTION_TYPES);
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The bytes that go into the queue, the outbox and the rejected table: JSON, one interaction. */
export function encodeMessage(interaction: Interaction): Buffer {
  return Buffer.from(messageText(interaction));
}

export function messageText({ id, itemId, viewer, type, retraction, metadata, acceptedAtMs }: Interaction): string {
  // By hand, a few times faster than by JSON.stringify: an id, a viewer and a type need no escapes.
  const optional = `${retraction ? ',"retraction":true' : ''}${metadata === null ? '' : `,"metadata":${JSON.stringify(metadata)}`}`;
  return `{"v":${MESSAGE_VERSION},"id":"${id}","item":${JSON.stringify(itemId)},"viewer":"${viewer}","type":"${type}"${optional},"at":${acceptedAtMs}}`;
}

/** Never throws. Fields it does not know are ignored, so that an older worker can read a newer minor change. */
export function decodeMessage(body: Uint8Array): DecodedMessage {
  if (body.byteLength > MAX_MESSAGE_BYTES) return invalid(`${body.byteLength} bytes, at most ${MAX_MESSAGE_BYTES}`);
  const parsed = parseBody(body);
  if (parsed === undefined) return invalid('not JSON in UTF-8');
  if (!isRecord(parsed)) return invalid('not a JSON object');
  const { v } = parsed;
  if (typeof v !== 'number' || !Number.isInteger(v) || v < 1) return invalid('no version');
  if (v > MESSAGE_VERSION) return { ok: false, reason: 'NEWER_VERSION', detail: `version ${v}` };
  const id = typeof parsed['id'] === 'string' ? parseInteractionId(parsed['id']) : undefined;
  if (id === undefined) return invalid('id is no UUIDv7');
  const { item: itemId, viewer, type, retraction = false, metadata = null, at } = parsed;
  if (typeof itemId !== 'string' || !isItemId(itemId)) return invalid('item is no item id');
  if (typeof viewer !== 'string' || !UUID.test(viewer)) return invalid('viewer is no viewer key');
  if (!isType(type)) return invalid('type is unknown');
  if (typeof retraction !== 'boolean' || (retraction && !isReactionType(type))) return invalid('retraction is wrong');
  const checked = checkJson(metadata, MAX_MESSAGE_BYTES);
  if (!checked.ok) return invalid('metadata cannot be stored');
  if (typeof at !== 'number' || !Number.isSafeInteger(at) || at < 0) return invalid('at is no time');
  return {
    ok: true,
    interaction: { id, itemId, viewer, type, retraction, metadata: checked.value, acceptedAtMs: at },
  };
}

/** Who sent a message and when it was accepted, though a newer version wrote it that cannot be read here; else null. */
export function senderOf(body: Uint8Array): Pick<Interaction, 'viewer' | 'acceptedAtMs'> | null {
  const parsed = parseBody(body);
  if (!isRecord(parsed)) return null;
  const { viewer, at } = parsed;
  if (typeof viewer !== 'string' || !UUID.test(viewer)) return null;
  return typeof at === 'number' && Number.isSafeInteger(at) && at >= 0 ? { viewer, acceptedAtMs: at } : null;
}

/** Undefined when it is no JSON in UTF-8. */
function parseBody(body: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(body));
  } catch {
    return undefined;
  }
}

const TRACEPARENT = ',"traceparent":"';
/** As it stands at the end of a message: 55 characters between quotes, and the brace. */
const TAIL_BYTES = TRACEPARENT.length + 55 + 2;

/** The same message with a field at its end that tells its trace, for queues whose messages have no headers. */
export function withTraceparent(body: Buffer, traceparent: string): Buffer {
  if (body.at(-1) !== 0x7d) return body;
  return Buffer.concat([body.subarray(0, -1), Buffer.from(`${TRACEPARENT}${traceparent}"}`)]);
}

/** What `withTraceparent` put there; null when it did not. */
export function traceparentOf(body: Uint8Array): string | null {
  if (body.byteLength <= TAIL_BYTES) return null;
  const tail = Buffer.from(body.buffer, body.byteOffset + body.byteLength - TAIL_BYTES, TAIL_BYTES);
  if (tail[0] !== 0x2c) return null;
  const text = tail.toString('latin1');
  return text.startsWith(TRACEPARENT) && text.endsWith('"}') ? text.slice(TRACEPARENT.length, -2) : null;
}

function invalid(detail: string): DecodedMessage {
  return { ok: false, reason: 'INVALID_MESSAGE', detail };
}

function isType(value: unknown): value is InteractionType {
  return TYPES.has(value);
}
