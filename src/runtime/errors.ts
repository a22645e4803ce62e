/**
 * A fault that the edge may name to a client. `code` is a stable, upper-case word of the public contract; `message` holds
 * nothing internal. Faults without this class reach clients as INTERNAL_SERVER_ERROR with a constant message.
 */
export class PublicError extends Error {
  readonly code: string;
  /** When a retry makes sense, after how many seconds. */
  readonly retryAfterSeconds: number | undefined;

  constructor(code: string, message: string, options: { cause?: unknown; retryAfterSeconds?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'PublicError';
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** Something we depend on is away or too slow; the same call may succeed later. Never the fault of one row. */
export class UnavailableError extends Error {
  readonly code = 'UNAVAILABLE';

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'UnavailableError';
  }
}

/** A call did not answer within its deadline. Whether it took effect is unknown. */
export class DeadlineError extends UnavailableError {
  constructor(what: string, deadlineMs: number) {
    super(`${what} did not answer within ${deadlineMs} ms`);
    this.name = 'DeadlineError';
  }
}

/** What an error says, whatever was thrown. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A refused connection to a name with several addresses: one error for each, and no message of its own.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(', ');
  // `fetch` says only that it failed.
  if (error instanceof TypeError && error.cause instanceof Error) return messageOf(error.cause);
  return error.message || ('code' in error ? String(error.code) : error.name);
}

/** What was thrown as an Error, for where nothing else may be rejected with. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
