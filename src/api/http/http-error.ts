import { PublicError } from '../../runtime/errors.ts';

/** A fault found before GraphQL sees the request; the HTTP server turns it into status, headers and a JSON body. */
export class HttpError extends PublicError {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    message: string,
    options: { cause?: unknown; headers?: Readonly<Record<string, string>>; retryAfterSeconds?: number } = {},
  ) {
    super(code, message, options);
    this.name = 'HttpError';
    this.status = status;
    this.headers = options.headers ?? {};
  }
}

/** The sender went away before work on the request began: there is nobody to answer. */
export class ClientGoneError extends Error {
  constructor() {
    super('the client closed the connection before work on its request began');
    this.name = 'ClientGoneError';
  }
}

export function badRequest(message: string): HttpError {
  return new HttpError(400, 'BAD_REQUEST', message);
}

/** 401 with the challenge of RFC 6750, 3. */
export function unauthenticated(message: string): HttpError {
  return new HttpError(401, 'UNAUTHENTICATED', message, {
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
  });
}

/** A part is away or too slow. What was sent may have been done; again, with the same id, it is harmless. */
export function serviceUnavailable(cause: unknown): HttpError {
  const message = 'The service is unavailable for the moment. Try again.';
  return new HttpError(503, 'SERVICE_UNAVAILABLE', message, { cause, retryAfterSeconds: 1 });
}

/** More than can be worked on; nothing was done. */
export function serviceBusy(): HttpError {
  return new HttpError(503, 'SERVICE_BUSY', 'Too many requests are at work here.', { retryAfterSeconds: 1 });
}
