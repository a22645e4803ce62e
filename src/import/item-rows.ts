import { isItemId, isStorableText, type ItemInput } from '../items/item.ts';
import type { JsonValue } from '../runtime/json.ts';
import { columnOf, hasField, ITEM_FIELDS, requireColumns, type ColumnMapping } from './columns.ts';
import { cellReader, type CellReader, type Table, type TableRow } from './read-table.ts';
import { isStorableJson, jsonBytes, parseJson, shown } from './storable-json.ts';

const MAX_TITLE_LENGTH = 1_000;
const MAX_CATEGORY_LENGTH = 256;
const MAX_URL_LENGTH = 2_048;
const MAX_ATTRIBUTES_BYTES = 16 * 1024;

/**
 * Turns a row into an item, or a text: what is wrong with it. Columns that are no field of an item become attributes.
 * @throws ImportFileError on a column that is missing
 */
export function createItemRowParser(
  table: Pick<Table, 'columns' | 'path'>,
  columns: ColumnMapping,
): (row: TableRow) => ItemInput | string {
  requireColumns(table, columns, [['id'], ['title']], [...columns.values()]);
  const read = (field: string): CellReader =>
    hasField(table, columns, field) ? cellReader(table, columnOf(columns, field)) : () => '';
  const [readId, readTitle, readCategory] = [read('id'), read('title'), read('category')];
  const [readUrl, readImageUrl, readAttributes] = [read('url'), read('imageUrl'), read('attributes')];
  const taken = new Set(ITEM_FIELDS.map((field) => columnOf(columns, field)));

  return (row) => {
    const id = readId(row);
    if (!isItemId(id) || id.includes('\uFFFD')) return `${columnOf(columns, 'id')} ${shown(id)} is no item id`;
    const title = readTitle(row).trim();
    if (title === '') return 'has no title';
    if (title.length > MAX_TITLE_LENGTH || !isStorableText(title))
      return `title ${shown(title)} is too long or cannot be stored`;
    const category = readCategory(row).trim() || null;
    if (category !== null && (category.length > MAX_CATEGORY_LENGTH || !isStorableText(category))) {
      return `category ${shown(category)} is too long or cannot be stored`;
    }
    const url = readUrl(row).trim() || null;
    const imageUrl = readImageUrl(row).trim() || null;
    for (const address of [url, imageUrl])
      if (address !== null && !isUrl(address)) return `${shown(address)} is no URL`;

    const given = readAttributes(row);
    const extra = given === '' ? {} : parseJson(given);
    if (typeof extra !== 'object' || extra === null || Array.isArray(extra)) return 'attributes is no JSON object';
    const attributes = { ...otherColumns(table, row, taken), ...extra };
    if (!isStorableJson(attributes)) return 'holds an attribute that cannot be stored';
    if (jsonBytes(attributes) > MAX_ATTRIBUTES_BYTES) return `has over ${MAX_ATTRIBUTES_BYTES} bytes of attributes`;
    return { id, title, category, url, imageUrl, attributes: Object.keys(attributes).length === 0 ? null : attributes };
  };
}

function otherColumns(
  table: Pick<Table, 'columns'>,
  row: TableRow,
  taken: ReadonlySet<string>,
): { [key: string]: JsonValue } {
  if (row.kind === 'object') return Object.fromEntries(Object.entries(row.object).filter(([name]) => !taken.has(name)));
  const others: { [key: string]: JsonValue } = {};
  if (row.kind === 'fault') return others;
  for (const [index, name] of (table.columns ?? []).entries()) {
    const text = row.cells[index] ?? '';
    if (name !== '' && text !== '' && !taken.has(name)) others[name] = numberOrText(text);
  }
  return others;
}

/** Only what a number would print as itself: `0439023483` and `1.0` may be codes and stay text. */
function numberOrText(text: string): number | string {
  const value = Number(text);
  return Number.isFinite(value) && String(value) === text ? value : text;
}

function isUrl(text: string): boolean {
  return text.length <= MAX_URL_LENGTH && isStorableText(text) && /^https?:/i.test(text) && URL.canParse(text);
}
