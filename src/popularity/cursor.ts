import { hash } from 'node:crypto';
import { isItemId } from '../items/item.ts';
import { MAX_DEPTH, type Position } from './popularity-reader.ts';

/** A place in a list of popular items. */
export interface RankedPosition extends Position {
  readonly rank: number;
}

/** What a list is of: a cursor of one list means nothing in another. */
export function shapeOf(parts: readonly (string | number | null | readonly string[])[]): string {
  return hash('sha256', JSON.stringify(parts), 'base64url').slice(0, 8);
}

/** Opaque to clients. */
export function encodeCursor(shape: string, { rank, sortKey, itemId }: RankedPosition): string {
  return Buffer.from(JSON.stringify([shape, rank, sortKey, itemId])).toString('base64url');
}

/** Undefined when it is malformed or of another list. */
export function decodeCursor(shape: string, cursor: string): RankedPosition | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(parsed) || parsed.length !== 4) return undefined;
  const [foundShape, rank, sortKey, itemId]: unknown[] = parsed;
  if (foundShape !== shape) return undefined;
  if (typeof rank !== 'number' || !Number.isInteger(rank) || rank < 1 || rank > MAX_DEPTH) return undefined;
  if (typeof sortKey !== 'number' || !Number.isFinite(sortKey)) return undefined;
  return typeof itemId === 'string' && isItemId(itemId) ? { rank, sortKey, itemId } : undefined;
}
