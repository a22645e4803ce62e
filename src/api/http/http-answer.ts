import type { PublicError } from '../../runtime/errors.ts';
import { HttpError } from './http-error.ts';

export const JSON_TYPE = 'application/json; charset=utf-8';

/** What is sent back; Content-Length, ETag and connection headers are the server's. */
export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Record<string, string>;
  readonly body: string;
}

export function jsonAnswer(status: number, value: unknown): HttpAnswer {
  return { status, headers: { 'content-type': JSON_TYPE, 'cache-control': 'no-store' }, body: JSON.stringify(value) };
}

/** The one shape of every error: `{ errors: [{ message, extensions: { code } }] }`. */
export function errorAnswer(error: PublicError): HttpAnswer {
  const status = error instanceof HttpError ? error.status : error.retryAfterSeconds === undefined ? 400 : 503;
  const answer = jsonAnswer(status, errorBody(error.code, error.message));
  if (error instanceof HttpError) Object.assign(answer.headers, error.headers);
  if (error.retryAfterSeconds !== undefined) answer.headers['retry-after'] = String(error.retryAfterSeconds);
  return answer;
}

export function errorBody(code: string, message: string) {
  return { errors: [{ message, extensions: { code } }] };
}
