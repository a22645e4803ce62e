import type { JsonValue } from '../runtime/json.ts';
import { parseCsvRecord } from './csv-record.ts';
import { ImportFileError } from './import-file-error.ts';
import { openFile } from './open-file.ts';
import { readLines } from './read-lines.ts';

export type JsonObject = { readonly [key: string]: JsonValue };

export type TableRow =
  /** `line` is where the row begins, counted from 1. */
  | { readonly line: number; readonly kind: 'cells'; readonly cells: readonly string[] }
  | { readonly line: number; readonly kind: 'object'; readonly object: JsonObject }
  | { readonly line: number; readonly kind: 'fault'; readonly fault: string };

export interface Table {
  readonly path: string;
  /** Null for NDJSON, whose rows name their own. */
  readonly columns: readonly string[] | null;
  /** In portions. */
  readonly rows: AsyncIterable<readonly TableRow[]>;
  readonly sizeBytes: number;
  bytesRead(): number;
}

/** A quoted field may go over this many lines; past it, its quote is taken to be a mistake. */
const MAX_RECORD_LINES = 100;

/** CSV with a header, or NDJSON when the first character is `{`. @throws ImportFileError */
export async function readTable(path: string): Promise<Table> {
  const file = await openFile(path);
  const portions = namingFile(path, readLines(file.bytes));
  const first = await firstLine(portions);
  if (first === null) throw new ImportFileError(`${path} is empty`);
  if (first.text.startsWith('['))
    throw new ImportFileError(`${path} is one JSON array; give one object per line (NDJSON)`);
  const shared = { path, sizeBytes: file.sizeBytes, bytesRead: file.bytesRead };
  if (first.text.startsWith('{')) {
    return { ...shared, columns: null, rows: objectRows(first.line, [first.text, ...first.rest], portions) };
  }
  const header = parseCsvRecord(first.text);
  if (header.kind !== 'cells')
    throw new ImportFileError(`${path} has no header that can be read in line ${first.line}`);
  const columns = header.cells.map((name) => name.trim());
  const twice = columns.find((name, index) => name !== '' && columns.indexOf(name) !== index);
  if (twice !== undefined) throw new ImportFileError(`${path} has two columns named ${twice}`);
  return { ...shared, columns, rows: cellRows(columns.length, first.line + 1, first.rest, portions) };
}

/** Reads one column of a row; an absent value is ''. Numbers and such of NDJSON become text. */
export type CellReader = (row: TableRow) => string;

export function cellReader(table: Pick<Table, 'columns'>, column: string): CellReader {
  const index = table.columns?.indexOf(column) ?? -1;
  return (row) => {
    if (row.kind === 'cells') return row.cells[index] ?? '';
    if (row.kind === 'fault' || !Object.hasOwn(row.object, column)) return '';
    const value = row.object[column];
    if (value === undefined || value === null) return '';
    return typeof value === 'string' ? value : JSON.stringify(value);
  };
}

async function* namingFile(path: string, portions: AsyncIterable<string[]>): AsyncGenerator<string[]> {
  try {
    yield* portions;
  } catch (error) {
    if (!(error instanceof ImportFileError) || error.message.startsWith(path)) throw error;
    throw new ImportFileError(`${path}: ${error.message}`, error);
  }
}

async function firstLine(
  portions: AsyncGenerator<string[]>,
): Promise<{ line: number; text: string; rest: string[] } | null> {
  let line = 0;
  for (;;) {
    const portion = await portions.next();
    if (portion.done === true) return null;
    const index = portion.value.findIndex((text) => text.trim() !== '');
    const text = portion.value[index];
    if (text !== undefined)
      return { line: line + index + 1, text: text.trimStart(), rest: portion.value.slice(index + 1) };
    line += portion.value.length;
  }
}

async function* objectRows(
  line: number,
  head: string[],
  portions: AsyncIterable<string[]>,
): AsyncGenerator<TableRow[]> {
  let next = line;
  for await (const texts of startingWith(head, portions)) {
    const rows: TableRow[] = [];
    for (const text of texts) {
      if (text.trim() !== '') rows.push(objectRow(next, text));
      next += 1;
    }
    yield rows;
  }
}

function objectRow(line: number, text: string): TableRow {
  try {
    const value: JsonValue = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return { line, kind: 'object', object: value };
    return { line, kind: 'fault', fault: 'is no JSON object' };
  } catch {
    return { line, kind: 'fault', fault: 'is not JSON' };
  }
}

async function* cellRows(
  width: number,
  line: number,
  head: string[],
  portions: AsyncIterable<string[]>,
): AsyncGenerator<TableRow[]> {
  let next = line;
  let waiting: string[] = [];
  for await (const texts of startingWith(head, portions)) {
    const lines = waiting.length === 0 ? texts : [...waiting, ...texts];
    const { rows, used } = splitRecords(lines, next, width, false);
    waiting = lines.slice(used);
    next += used;
    yield rows;
  }
  if (waiting.length > 0) yield splitRecords(waiting, next, width, true).rows;
}

/** `used` lines are worked off; what follows begins a record whose end has not been read yet. */
function splitRecords(
  lines: readonly string[],
  line: number,
  width: number,
  isEnd: boolean,
): { rows: TableRow[]; used: number } {
  const rows: TableRow[] = [];
  let used = 0;
  while (used < lines.length) {
    let text = lines[used] ?? '';
    let span = 1;
    let record = parseCsvRecord(text);
    while (record.kind === 'open' && span < MAX_RECORD_LINES && used + span < lines.length) {
      text += `\n${lines[used + span] ?? ''}`;
      span += 1;
      record = parseCsvRecord(text);
    }
    if (record.kind === 'open') {
      if (!isEnd && span < MAX_RECORD_LINES) break;
      // Only this line is lost: the ones after it are read as records of their own.
      rows.push({ line: line + used, kind: 'fault', fault: 'opens a quote that is never closed' });
      used += 1;
      continue;
    }
    if (text.trim() !== '') rows.push(toRow(line + used, record, width));
    used += span;
  }
  return { rows, used };
}

function toRow(
  line: number,
  record: Exclude<ReturnType<typeof parseCsvRecord>, { kind: 'open' }>,
  width: number,
): TableRow {
  if (record.kind === 'fault') return { line, kind: 'fault', fault: record.fault };
  if (record.cells.length === width) return { line, kind: 'cells', cells: record.cells };
  return { line, kind: 'fault', fault: `has ${record.cells.length} fields, the header has ${width}` };
}

async function* startingWith(head: string[], portions: AsyncIterable<string[]>): AsyncGenerator<string[]> {
  yield head;
  yield* portions;
}
