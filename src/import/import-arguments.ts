import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { INTERACTION_TYPES, type InteractionType } from '../interactions/interaction.ts';
import { messageOf } from '../runtime/errors.ts';
import { INTERACTION_FIELDS, ITEM_FIELDS, parseColumnMapping, type ColumnMapping } from './columns.ts';
import { parseCondition, type Condition } from './where.ts';

export interface ImportArguments {
  readonly itemsPath: string | null;
  readonly interactionsPath: string | null;
  readonly type: InteractionType | null;
  readonly where: readonly Condition[];
  readonly createItems: boolean;
  readonly itemColumns: ColumnMapping;
  readonly interactionColumns: ColumnMapping;
  readonly onError: 'skip' | 'abort';
  readonly badRowsPath: string | null;
}

export type ParsedImportArguments =
  | { readonly kind: 'run'; readonly arguments: ImportArguments }
  | { readonly kind: 'help' }
  | { readonly kind: 'fault'; readonly fault: string };

export const IMPORT_USAGE = `npm run import -- [--items FILE] [--interactions FILE] [options]

Files are CSV with a header, or NDJSON; plain, gzip or bzip2. Importing one again changes nothing.

  --items FILE          a catalogue: id, title, and if there are category, url, imageUrl, attributes;
                        other columns become attributes. Known items are replaced.
  --interactions FILE   itemId, userId or deviceId, type, occurredAt, and if there are id (UUIDv7), metadata.
                        Times: ISO 8601 (without a zone UTC), or epoch seconds or milliseconds.
  --type TYPE           for a file without types: ${INTERACTION_TYPES.join(', ')}
  --where 'rating>=4'   only rows for which it holds; = != > >= < <=; may be given again, then all have to hold
  --create-items        an unknown item is made, its id as title; else its rows are bad.
                        Those of a hidden item always are.
  --columns FIELD=COLUMN,...   for files with names of their own; FIELD= says that there is none.
                        With both files, id is the item's.
  --on-error skip       bad rows are named and left out (the default)
  --on-error abort      everything is checked first; with one bad row nothing is imported
  --bad-rows FILE       every bad row of a file is named here, a line each, in no order; without it the first 20 are shown

Exit: 0 all imported, 1 bad rows or a file that cannot be read, 64 wrong use, 78 wrong configuration, 130 stopped.
`;

export function parseImportArguments(args: readonly string[]): ParsedImportArguments {
  const read = readOptions(args);
  if (typeof read === 'string') return { kind: 'fault', fault: read };
  if (read.help === true) return { kind: 'help' };
  const { items = null, interactions = null } = read;
  if (items === null && interactions === null)
    return { kind: 'fault', fault: 'nothing to import: give --items, --interactions or both' };

  const faults: string[] = [];
  if (interactions === null) {
    for (const name of ['type', 'where', 'create-items'] as const) {
      if (read[name] !== undefined) faults.push(`--${name} needs --interactions`);
    }
  }
  const onError = read['on-error'] ?? 'skip';
  if (onError !== 'skip' && onError !== 'abort') faults.push('--on-error is skip or abort');
  const badRowsPath = read['bad-rows'] ?? null;
  if (
    badRowsPath !== null &&
    [items, interactions].some((path) => path !== null && resolve(path) === resolve(badRowsPath))
  )
    faults.push('--bad-rows would replace a file that is to be imported');
  const type = INTERACTION_TYPES.find((name) => name === read.type?.toUpperCase()) ?? null;
  if (read.type !== undefined && type === null) faults.push(`--type is one of ${INTERACTION_TYPES.join(', ')}`);
  const where: Condition[] = [];
  for (const text of read.where ?? []) {
    const condition = parseCondition(text);
    if (condition === undefined)
      faults.push(`--where ${JSON.stringify(text)} is not COLUMN OPERATOR VALUE, as in 'rating>=4'`);
    else where.push(condition);
  }
  const fields = [...(items === null ? [] : ITEM_FIELDS), ...(interactions === null ? [] : INTERACTION_FIELDS)];
  const columns = parseColumnMapping((read.columns ?? []).join(','), [...new Set(fields)]);
  if (typeof columns === 'string') faults.push(`--columns: ${columns}`);
  if (faults.length > 0 || typeof columns === 'string' || (onError !== 'skip' && onError !== 'abort')) {
    return { kind: 'fault', fault: faults.join('\n') };
  }
  const interactionFields = INTERACTION_FIELDS.filter((field) => items === null || field !== 'id');
  return {
    kind: 'run',
    arguments: {
      itemsPath: items,
      interactionsPath: interactions,
      type,
      where,
      createItems: read['create-items'] ?? false,
      itemColumns: only(columns, ITEM_FIELDS),
      interactionColumns: only(columns, interactionFields),
      onError,
      badRowsPath,
    },
  };
}

function readOptions(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        items: { type: 'string' },
        interactions: { type: 'string' },
        type: { type: 'string' },
        where: { type: 'string', multiple: true },
        'create-items': { type: 'boolean' },
        columns: { type: 'string', multiple: true },
        'on-error': { type: 'string' },
        'bad-rows': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    return messageOf(error);
  }
}

function only(mapping: ColumnMapping, fields: readonly string[]): ColumnMapping {
  return new Map([...mapping].filter(([field]) => fields.includes(field)));
}
