import { codePoints, isItemId, isStorableText, type ItemInput } from './item.ts';
import { checkJson } from './storable-json.ts';
import type { UserError } from './user-error.ts';

/** An item as a client sends it. */
export interface RawItem {
  readonly id: string;
  readonly title: string;
  readonly category?: string | null;
  readonly url?: URL | string | null;
  readonly imageUrl?: URL | string | null;
  readonly attributes?: unknown;
}

export type ParsedItem =
  | { readonly ok: true; readonly item: ItemInput }
  | { readonly ok: false; readonly userErrors: UserError[] };

const MAX_TITLE_LENGTH = 1_000;
const MAX_CATEGORY_LENGTH = 256;
const MAX_URL_LENGTH = 2_048;
const MAX_ATTRIBUTES_BYTES = 16 * 1024;

/** `path` leads to the item among the inputs. */
const BAD_URL = 'The URL must be http or https, absolute, and at most 2,048 characters.';

export function parseItem(raw: RawItem, path: readonly string[]): ParsedItem {
  const userErrors: UserError[] = [];
  const fail = (code: UserError['code'], field: string, message: string): void =>
    void userErrors.push({ code, field: [...path, field], message });

  if (!isItemId(raw.id)) fail('INVALID_ITEM_ID', 'id', 'The id must be 1 to 256 characters.');
  if (!isTextOf(raw.title, MAX_TITLE_LENGTH))
    fail('INVALID_TITLE', 'title', 'The title must be 1 to 1,000 characters.');
  const category = raw.category ?? null;
  if (category !== null && !isCategory(category)) {
    fail('INVALID_CATEGORY', 'category', 'The category must be 1 to 256 characters.');
  }
  const url = textOf(raw.url);
  if (!isUrlText(url)) fail('INVALID_URL', 'url', BAD_URL);
  const imageUrl = textOf(raw.imageUrl);
  if (!isUrlText(imageUrl)) fail('INVALID_URL', 'imageUrl', BAD_URL);
  const attributes = checkJson(raw.attributes, MAX_ATTRIBUTES_BYTES);
  if (!attributes.ok) {
    fail('INVALID_ATTRIBUTES', 'attributes', 'Attributes must be at most 16 KiB of storable JSON, at most 32 deep.');
    return { ok: false, userErrors };
  }
  if (userErrors.length > 0) return { ok: false, userErrors };
  return { ok: true, item: { id: raw.id, title: raw.title, category, url, imageUrl, attributes: attributes.value } };
}

export function isCategory(text: string): boolean {
  return isTextOf(text, MAX_CATEGORY_LENGTH);
}

function isTextOf(text: string, maxLength: number): boolean {
  if (text.length === 0 || text.length > 2 * maxLength || !isStorableText(text)) return false;
  return text.length <= maxLength || codePoints(text) <= maxLength;
}

function textOf(url: URL | string | null | undefined): string | null {
  return url === undefined || url === null ? null : String(url);
}

/** Pages put these into links: no `javascript:`, and nothing a browser reads otherwise than we do. */
function isUrlText(url: string | null): boolean {
  if (url === null) return true;
  if (url.length > MAX_URL_LENGTH || !isStorableText(url) || !/^https?:\/\/[^\s]+$/i.test(url)) return false;
  return URL.canParse(url);
}
