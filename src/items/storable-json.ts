import type { JsonValue } from '../runtime/json.ts';
import { isStorableText } from './item.ts';

/** Deeper JSON has no use in metadata and costs every reader a stack. */
const MAX_DEPTH = 32;

export type CheckedJson =
  | { readonly ok: true; readonly value: JsonValue | null }
  | { readonly ok: false; readonly fault: 'INVALID' | 'TOO_LARGE' };

const NOTHING: CheckedJson = { ok: true, value: null };
const INVALID: CheckedJson = { ok: false, fault: 'INVALID' };
const TOO_LARGE: CheckedJson = { ok: false, fault: 'TOO_LARGE' };

/** JSON that Postgres can store: no NUL, no half surrogate pairs, finite numbers, at most 32 deep and `maxBytes` as UTF-8. */
export function checkJson(value: unknown, maxBytes: number): CheckedJson {
  if (value === undefined || value === null) return NOTHING;
  if (!isStorable(value, MAX_DEPTH)) return INVALID;
  return Buffer.byteLength(JSON.stringify(value)) > maxBytes ? TOO_LARGE : { ok: true, value };
}

function isStorable(value: unknown, depth: number): value is JsonValue {
  switch (typeof value) {
    case 'string':
      return isStorableText(value);
    case 'number':
      return Number.isFinite(value);
    case 'boolean':
      return true;
    case 'object':
      if (value === null) return true;
      if (depth === 0) return false;
      if (Array.isArray(value)) return value.every((element) => isStorable(element, depth - 1));
      return Object.entries(value).every(
        // A variable that was left out leaves undefined in a literal; JSON leaves the key out.
        ([key, element]) => isStorableText(key) && (element === undefined || isStorable(element, depth - 1)),
      );
    default:
      return false;
  }
}
