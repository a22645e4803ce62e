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

/** The sender went away before the request was whole: there is nobody to answer. */
export class ClientGoneError extends Error {
  constructor() {
    super('the client closed the connection before its request was complete');
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

/** More than can be worked on; nothing was done. */
export function serviceBusy(): HttpError {
  return new HttpError(503, 'SERVICE_BUSY', 'Too many requests are at work here.', { retryAfterSeconds: 1 });
}
