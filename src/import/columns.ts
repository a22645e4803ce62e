import { ImportFileError } from './import-file-error.ts';
import type { Table } from './read-table.ts';

export const INTERACTION_FIELDS = ['itemId', 'userId', 'deviceId', 'type', 'occurredAt', 'id', 'metadata'] as const;
export const ITEM_FIELDS = ['id', 'title', 'category', 'url', 'imageUrl', 'attributes'] as const;

/** From our fields to a file's columns; a field that is left out has a column of its own name. Empty: the file has none. */
export type ColumnMapping = ReadonlyMap<string, string>;

/** `itemId=vendorId,userId=reviewerId`; a text is what is wrong with it. */
export function parseColumnMapping(text: string, fields: readonly string[]): ColumnMapping | string {
  const mapping = new Map<string, string>();
  for (const part of text.split(',').filter((part) => part.trim() !== '')) {
    const [field = '', column, ...more] = part.split('=').map((side) => side.trim());
    if (column === undefined || more.length > 0) return `${JSON.stringify(part)} is not field=column`;
    if (!fields.includes(field)) return `there is no field ${JSON.stringify(field)} (${fields.join(', ')})`;
    if (mapping.has(field)) return `${field} is given twice`;
    mapping.set(field, column);
  }
  return mapping;
}

export function columnOf(mapping: ColumnMapping, field: string): string {
  return mapping.get(field) ?? field;
}

/** Whether rows can have the field; those of NDJSON can have any that was not mapped away. */
export function hasField(table: Pick<Table, 'columns'>, mapping: ColumnMapping, field: string): boolean {
  const column = columnOf(mapping, field);
  return column !== '' && (table.columns === null || table.columns.includes(column));
}

/**
 * Each alternative is a choice of fields of which a row needs one; `named` are columns asked for by name.
 * @throws ImportFileError naming every column that is missing
 */
export function requireColumns(
  table: Pick<Table, 'columns' | 'path'>,
  mapping: ColumnMapping,
  alternatives: readonly (readonly string[])[],
  named: readonly string[],
): void {
  const missing = alternatives
    .filter((fields) => !fields.some((field) => hasField(table, mapping, field)))
    .map((fields) => fields.map((field) => describe(mapping, field)).join(' or '));
  const { columns } = table;
  if (columns !== null) missing.push(...named.filter((column) => column !== '' && !columns.includes(column)));
  if (missing.length === 0) return;
  const there = columns === null ? '' : `; it has ${columns.join(', ')}`;
  throw new ImportFileError(
    `${table.path} has no column ${[...new Set(missing)].join(', no column ')}${there}. See --columns`,
  );
}

function describe(mapping: ColumnMapping, field: string): string {
  const column = columnOf(mapping, field);
  return column === '' || column === field ? field : `${column} (${field})`;
}
