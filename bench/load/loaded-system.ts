export interface RecordedRow {
  readonly id: string;
  /** As the system stores it; `viewerOf` says it of a ledger's. */
  readonly viewer: string;
  readonly item: string;
  readonly type: string;
  readonly retraction: boolean;
}

/** Of a query that names its columns so. */
export function recordedRow(row: Readonly<Record<string, unknown>>): RecordedRow {
  return {
    id: String(row['id']),
    viewer: String(row['viewer']),
    item: String(row['item']),
    type: String(row['type']),
    retraction: row['retraction'] === true,
  };
}

/** Prometheus samples by series, counters of all processes added up. */
export type Samples = ReadonlyMap<string, number>;

/** A whole stack under load, ours or the guide's. */
export interface LoadedSystem extends AsyncDisposable {
  readonly title: string;
  /** Of the proxy in front. */
  readonly url: string;
  readonly locustfile: string;
  /** Its processes and what each is a part of, such as nginx; without those that make the load. */
  processes(): ReadonlyMap<number, string>;
  /** What its own metrics say; empty where it has none. */
  samples(): Promise<Samples>;
  /** What was recorded under the load, without the history it started with. */
  recorded(): Promise<RecordedRow[]>;
  countRecorded(): Promise<number>;
  viewerOf(viewer: string): string;
  /** What its counts say otherwise than a recount of the raw rows, one line each; empty where all is right. */
  recount(): Promise<string[]>;
  /** Seconds from accepted to recorded at the 99th percentile, where the database can tell; else null. */
  recordedAfterSeconds(): Promise<number | null>;
  readonly probe: FreshnessProbe;
  readonly saturation: {
    readonly readScript: string;
    readonly writeScript: string;
    /** Asked once before the reads. */
    readonly firstRead: string;
  };
}

/** First views of items, each looked for in the list of the item's category. */
export interface FreshnessProbe {
  /** A view of an item that nobody has seen. */
  write(id: string, viewer: string, item: string): Promise<void>;
  /** Whether the answer for everybody has it. */
  shows(item: string): Promise<boolean>;
}
