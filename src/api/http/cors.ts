import type { IncomingMessage } from 'node:http';
import type { HttpAnswer } from './http-answer.ts';

export interface Cors {
  /** Adds what lets the page that asks read the answer. */
  allow(request: IncomingMessage, answer: HttpAnswer): void;
  preflight(request: IncomingMessage): HttpAnswer;
}

const ALLOWED_HEADERS = [
  'accept',
  'apollo-require-preflight',
  'apollographql-client-name',
  'apollographql-client-version',
  'authorization',
  'content-type',
  'idempotency-key',
  'x-apollo-operation-name',
  'x-device-id',
  'x-user-id',
  'x-user-role',
].join(', ');

/** No origin but our own, unless listed; `*` lists all. Credentials (cookies) are never allowed: there are none. */
export function createCors(origins: readonly string[]): Cors {
  const listed = new Set(origins);
  const isOpen = listed.has('*');

  function allow(request: IncomingMessage, answer: HttpAnswer): void {
    if (listed.size === 0) return;
    if (isOpen) {
      // Whether asked by a page or not: a shared cache has one answer for all.
      answer.headers['access-control-allow-origin'] = '*';
    } else {
      const { origin } = request.headers;
      answer.headers['vary'] = addToken(answer.headers['vary'], 'Origin');
      if (origin === undefined || !listed.has(origin)) return;
      answer.headers['access-control-allow-origin'] = origin;
    }
    answer.headers['access-control-expose-headers'] = 'age, etag, retry-after, www-authenticate';
  }

  return {
    allow,
    preflight(request) {
      const answer: HttpAnswer = { status: 204, headers: { allow: 'GET, HEAD, POST, OPTIONS' }, body: '' };
      const { origin } = request.headers;
      if (origin !== undefined && (isOpen || listed.has(origin))) {
        answer.headers['access-control-allow-methods'] = 'GET, HEAD, POST';
        answer.headers['access-control-allow-headers'] = ALLOWED_HEADERS;
        answer.headers['access-control-max-age'] = '7200';
      }
      return answer;
    },
  };
}

export function addToken(list: string | undefined, token: string): string {
  return list === undefined ? token : `${list}, ${token}`;
}
