import { MAX_METADATA_BYTES } from '../interactions/parse-interaction.ts';
import { occurredAtMs, parseInteractionId } from '../interactions/interaction-id.ts';
import { INTERACTION_TYPES, type InteractionType } from '../interactions/interaction.ts';
import { viewerKeyOf, type ViewerKey } from '../interactions/viewer-key.ts';
import { isItemId } from '../items/item.ts';
import { checkJson } from '../items/storable-json.ts';
import type { JsonValue } from '../runtime/json.ts';
import { columnOf, hasField, requireColumns, type ColumnMapping } from './columns.ts';
import { ImportFileError } from './import-file-error.ts';
import { parseJson } from './parse-json.ts';
import { cellReader, type CellReader, type Table, type TableRow } from './read-table.ts';
import { shown } from './shown.ts';
import { parseTime } from './time.ts';
import type { Condition } from './where.ts';

const MAX_AHEAD_MS = 5 * 60_000;
const DAY_MS = 86_400_000;
const TYPES: ReadonlyMap<string, InteractionType> = new Map(INTERACTION_TYPES.map((type) => [type, type]));

export interface InteractionRow {
  /** The file's own id, or null when one is to be derived from the rest. */
  readonly id: string | null;
  readonly itemId: string;
  readonly viewer: ViewerKey;
  readonly type: InteractionType;
  readonly atMs: number;
  readonly metadata: JsonValue | null;
}

export interface InteractionRowOptions {
  /** For a file without types. */
  readonly type: InteractionType | null;
  readonly columns: ColumnMapping;
  readonly where: readonly Condition[];
  /** 0: any age. */
  readonly retentionDays: number;
  readonly nowMs: number;
}

/** Turns a row into what it says, or a text: what is wrong with it. @throws ImportFileError on a column that is missing */
export function createInteractionRowParser(
  table: Pick<Table, 'columns' | 'path'>,
  options: InteractionRowOptions,
): (row: TableRow) => InteractionRow | string {
  const { columns } = options;
  requireColumns(
    table,
    columns,
    [['itemId'], ['userId', 'deviceId'], ...(options.type === null ? [['type']] : []), ['occurredAt', 'id']],
    [...columns.values(), ...options.where.map(({ column }) => column)],
  );
  if (options.type !== null && table.columns !== null && hasField(table, columns, 'type')) {
    throw new ImportFileError(
      `${table.path} has types in column ${columnOf(columns, 'type')}: leave out --type, or say --columns type=`,
    );
  }
  const read = (field: string): CellReader =>
    hasField(table, columns, field) ? cellReader(table, columnOf(columns, field)) : () => '';
  const readItemId = read('itemId');
  const readUserId = read('userId');
  const readDeviceId = read('deviceId');
  const readType = read('type');
  const readTime = read('occurredAt');
  const readId = read('id');
  const readMetadata = read('metadata');
  const latestMs = options.nowMs + MAX_AHEAD_MS;
  const earliestMs = options.retentionDays === 0 ? 0 : options.nowMs - options.retentionDays * DAY_MS;

  return (row) => {
    const itemId = readItemId(row);
    if (!isItemId(itemId) || isMangled(itemId)) return `${columnOf(columns, 'itemId')} ${shown(itemId)} is no item id`;
    const viewer = viewerOf(readUserId(row), readDeviceId(row));
    if (viewer === undefined) return 'says of nobody who it was: no userId or deviceId that can be read';
    const typeText = readType(row).trim();
    const type = typeText === '' ? options.type : TYPES.get(typeText.toUpperCase());
    if (type === null) return 'has no type, and there is no --type';
    if (type === undefined) return `type ${shown(typeText)} is none of ${INTERACTION_TYPES.join(', ')}`;

    const idText = readId(row).trim();
    const id = idText === '' ? null : parseInteractionId(idText);
    if (id === undefined) return `id ${shown(idText)} is no UUIDv7 (--columns id= ignores the column)`;
    const timeText = readTime(row).trim();
    const atMs = timeText === '' && id !== null ? occurredAtMs(id) : parseTime(timeText);
    if (atMs === undefined) return `${columnOf(columns, 'occurredAt')} ${shown(timeText)} is no time`;
    if (id !== null && occurredAtMs(id) !== atMs) return 'has another time than its id';
    if (atMs < 0) return `happened before 1970 (${shown(timeText)})`;
    if (atMs > latestMs) return `happens in the future (${shown(timeText)})`;
    if (atMs < earliestMs) return `happened over RETENTION_DAYS (${options.retentionDays}) ago`;

    const metadataText = readMetadata(row);
    const given = metadataText === '' ? null : parseJson(metadataText);
    if (given === undefined) return 'metadata is not JSON';
    const metadata = checkJson(given, MAX_METADATA_BYTES);
    if (metadata.ok) return { id, itemId, viewer, type, atMs, metadata: metadata.value };
    return metadata.fault === 'TOO_LARGE'
      ? `metadata is over ${MAX_METADATA_BYTES} bytes`
      : 'metadata holds what cannot be stored';
  };
}

function viewerOf(userId: string, deviceId: string): ViewerKey | undefined {
  const name = userId === '' ? deviceId : userId;
  if (name === '' || isMangled(name) || !name.isWellFormed()) return undefined;
  return viewerKeyOf(userId === '' ? { deviceId } : { userId });
}

/** Decoding puts U+FFFD for bytes that are no UTF-8; as ids, such texts would run into one. */
function isMangled(text: string): boolean {
  return text.includes('\uFFFD');
}
