/** The file cannot be imported, or not to its end. The message is one line for the person at the terminal. */
export class ImportFileError extends Error {
  readonly code = 'IMPORT_FILE';

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ImportFileError';
  }
}
