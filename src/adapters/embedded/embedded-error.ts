export type EmbeddedPostgresFault = 'DATA_DIR_IN_USE' | 'DATA_DIR_UNUSABLE' | 'EMBEDDED_POSTGRES_FAILED';

/** The embedded Postgres cannot be had. The message is meant for the person at the terminal and holds no secret. */
export class EmbeddedPostgresError extends Error {
  readonly code: EmbeddedPostgresFault;

  constructor(code: EmbeddedPostgresFault, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'EmbeddedPostgresError';
    this.code = code;
  }
}

/** The `code` of a Node or Postgres error, else undefined. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
