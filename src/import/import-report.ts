export interface ImportTally {
  /** Rows of data in the file. */
  rows: number;
  /** Left out by --where. */
  leftOut: number;
  /** New, and stored. */
  recorded: number;
  /** Imported or recorded before: no effect. */
  known: number;
  /** Of people erased while the import ran: no effect. */
  discarded: number;
  bad: number;
  /** Why the file could not be read to its end. */
  damaged: string | null;
}

/** Who wants to know how an import goes. */
export interface ImportObserver {
  onProgress(progress: { readonly rows: number; readonly bytesRead: number; readonly sizeBytes: number }): void;
  onBadRow(line: number, fault: string): void;
}

export function emptyTally(): ImportTally {
  return { rows: 0, leftOut: 0, recorded: 0, known: 0, discarded: 0, bad: 0, damaged: null };
}
