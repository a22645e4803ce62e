import type { JsonValue } from '../runtime/json.ts';

/** Something in the caller's catalogue. */
export interface Item {
  /** The caller's own id, opaque: 1 to 256 characters. */
  readonly id: string;
  readonly title: string;
  readonly category: string | null;
  readonly url: string | null;
  readonly imageUrl: string | null;
  readonly attributes: JsonValue | null;
  readonly createdAt: Date;
}

export type ItemInput = Omit<Item, 'createdAt'>;

export const MAX_ITEM_ID_LENGTH = 256;

/** Characters are counted as code points, as Postgres does. */
export function isItemId(text: string): boolean {
  if (text.length === 0 || !isStorableText(text)) return false;
  return text.length <= MAX_ITEM_ID_LENGTH || codePoints(text) <= MAX_ITEM_ID_LENGTH;
}

/** Postgres stores neither NUL nor half of a surrogate pair. */
export function isStorableText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/** Characters as Postgres counts them. */
export function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
