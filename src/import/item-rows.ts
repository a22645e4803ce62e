import type { ItemInput } from '../items/item.ts';
import { parseItem } from '../items/parse-item.ts';
import type { UserError } from '../items/user-error.ts';
import type { JsonValue } from '../runtime/json.ts';
import { columnOf, hasField, ITEM_FIELDS, requireColumns, type ColumnMapping } from './columns.ts';
import { parseJson } from './parse-json.ts';
import { cellReader, type CellReader, type Table, type TableRow } from './read-table.ts';
import { shown } from './shown.ts';

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
    // Decoding puts it for bytes that are no UTF-8; as ids, such texts would run into one.
    if (id.includes('\uFFFD')) return `${columnOf(columns, 'id')} ${shown(id)} is no UTF-8`;
    const given = readAttributes(row);
    const extra = given === '' ? {} : parseJson(given);
    if (typeof extra !== 'object' || extra === null || Array.isArray(extra)) return 'attributes is no JSON object';
    const attributes = { ...otherColumns(table, row, taken), ...extra };
    const item = {
      id,
      title: readTitle(row).trim(),
      category: readCategory(row).trim() || null,
      url: readUrl(row).trim() || null,
      imageUrl: readImageUrl(row).trim() || null,
      attributes: Object.keys(attributes).length === 0 ? null : attributes,
    };
    const parsed = parseItem(item, []);
    return parsed.ok ? parsed.item : parsed.userErrors.map((error) => faultText(error, row)).join(' ');
  };

  function faultText({ field: [name = ''], message }: UserError, row: TableRow): string {
    if (name === 'attributes') return message;
    return `${columnOf(columns, name)} ${shown(read(name)(row))}: ${message}`;
  }
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
