import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { addToken } from './cors.ts';
import type { HttpAnswer } from './http-answer.ts';

/**
 * Completes the answer to a GET for caches between us and the client: an ETag (and 304 when the client has it), what the
 * answer depends on, and `no-store` where nothing says otherwise. What may be kept is the same for everybody.
 */
export function completeGetAnswer(request: IncomingMessage, answer: HttpAnswer): HttpAnswer {
  const { headers } = answer;
  headers['vary'] = addToken(headers['vary'], 'Accept');
  const policy = (headers['cache-control'] ??= 'no-store');
  if (answer.status !== 200 || policy.includes('no-store')) return answer;
  const etag = `"${hash('sha1', answer.body, 'base64url')}"`;
  headers['etag'] = etag;
  if (!matches(request.headers['if-none-match'], etag)) return answer;
  delete headers['content-type'];
  return { status: 304, headers, body: '' };
}

/** Weak comparison (RFC 9110, 13.1.2): a proxy that compresses makes our tag a weak one. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag);
}
