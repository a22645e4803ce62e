import type { ItemInput } from '../items/item.ts';
import type { ItemStore } from '../items/item-store.ts';
import type { ColumnMapping } from './columns.ts';
import { ImportFileError } from './import-file-error.ts';
import { emptyTally, type ImportObserver, type ImportTally } from './import-report.ts';
import { createItemRowParser } from './item-rows.ts';
import { readTable } from './read-table.ts';

const BATCH_ITEMS = 1_000;

export interface ItemImport {
  readonly path: string;
  readonly columns: ColumnMapping;
  /** Reads and checks everything, stores nothing. */
  readonly checkOnly: boolean;
  readonly signal: AbortSignal;
}

/** Streams a catalogue into the store: new ones are added, known ones replaced. @throws ImportFileError before the first row */
export async function importItems(
  store: Pick<ItemStore, 'upsert'>,
  options: ItemImport,
  observer: ImportObserver,
  onItem: (id: string) => void = () => undefined,
): Promise<ImportTally> {
  const table = await readTable(options.path);
  const parse = createItemRowParser(table, options.columns);
  const tally = emptyTally();
  let batch: ItemInput[] = [];

  async function flush(): Promise<void> {
    if (!options.checkOnly && batch.length > 0) await store.upsert(batch);
    if (!options.checkOnly) tally.recorded += batch.length;
    batch = [];
  }

  try {
    for await (const rows of table.rows) {
      for (const row of rows) {
        tally.rows += 1;
        const item = row.kind === 'fault' ? row.fault : parse(row);
        if (typeof item === 'string') {
          tally.bad += 1;
          observer.onBadRow(row.line, item);
          continue;
        }
        onItem(item.id);
        batch.push(item);
        if (batch.length >= BATCH_ITEMS) await flush();
      }
      observer.onProgress({ rows: tally.rows, bytesRead: table.bytesRead(), sizeBytes: table.sizeBytes });
      if (options.signal.aborted) break;
    }
  } catch (error) {
    if (!(error instanceof ImportFileError)) throw error;
    tally.damaged = error.message;
  }
  await flush();
  return tally;
}
