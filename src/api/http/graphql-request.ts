import type { IncomingMessage } from 'node:http';
import { isRecord } from '../../runtime/is-record.ts';
import { badRequest, HttpError } from './http-error.ts';
import { parseContentType } from './media-types.ts';

/** A GraphQL request as sent, each part of the right shape; what the parts say is not checked. */
export interface ParsedRequest {
  readonly query: string | null;
  readonly operationName: string | null;
  readonly variables: Record<string, unknown> | null;
  readonly extensions: Record<string, unknown> | null;
  readonly documentId: string | null;
}

const PARAMETERS = ['query', 'operationName', 'variables', 'extensions', 'documentId'] as const;

/**
 * Refuses what a browser sends across origins without asking first (CSRF): a body must be JSON by its type, and a GET
 * must carry a header that a plain link or form cannot.
 */
export function checkContentType(request: IncomingMessage): void {
  const header = request.headers['content-type'];
  if (request.method !== 'POST') {
    if (header === undefined ? !isPreflighted(request) : parseContentType(header)?.essence !== 'application/json') {
      throw csrf('send a header `apollo-require-preflight: true` or `x-apollo-operation-name`');
    }
    return;
  }
  if (header === 'application/json') return;
  const type = header === undefined ? null : parseContentType(header);
  if (type?.essence === 'application/json') {
    if (type.charset === null || type.charset === 'utf-8' || type.charset === 'utf8') return;
    throw new HttpError(415, 'UNSUPPORTED_CHARSET', 'The charset of the body must be UTF-8.');
  }
  const simple = type === null || SIMPLE_TYPES.has(type.essence);
  if (simple && !isPreflighted(request)) throw csrf('send the body with `content-type: application/json`');
  throw new HttpError(415, 'UNSUPPORTED_MEDIA_TYPE', 'The body must be application/json.', {
    headers: { 'accept-post': 'application/json' },
  });
}

/** The types that a form can send without a preflight (Fetch standard, CORS-safelisted). */
const SIMPLE_TYPES: ReadonlySet<string> = new Set([
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'text/plain',
]);

function isPreflighted(request: IncomingMessage): boolean {
  const { headers } = request;
  return Boolean(headers['apollo-require-preflight']) || Boolean(headers['x-apollo-operation-name']);
}

function csrf(advice: string): HttpError {
  return new HttpError(400, 'CSRF_PREVENTED', `This could be a cross-site request forgery: ${advice}.`);
}

export function parseBody(text: string): ParsedRequest {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw badRequest(text === '' ? 'The body is empty.' : 'The body is not JSON.');
  }
  if (Array.isArray(body)) throw badRequest('Batches are not supported: send one request each.');
  if (!isRecord(body)) throw badRequest('The body must be a JSON object.');
  return {
    query: stringOf(body, 'query'),
    operationName: stringOf(body, 'operationName'),
    variables: recordOf(body, 'variables'),
    extensions: recordOf(body, 'extensions'),
    documentId: stringOf(body, 'documentId'),
  };
}

/** `search` is the part of the URL after the question mark. */
export function parseSearch(search: string): ParsedRequest {
  const found: Record<string, unknown> = {};
  const parameters = new URLSearchParams(search);
  for (const name of PARAMETERS) {
    const values = parameters.getAll(name);
    if (values.length > 1) throw badRequest(`The parameter \`${name}\` is given more than once.`);
    const [value] = values;
    if (value === undefined || value === '') continue;
    found[name] = name === 'variables' || name === 'extensions' ? jsonOf(name, value) : value;
  }
  return {
    query: stringOf(found, 'query'),
    operationName: stringOf(found, 'operationName'),
    variables: recordOf(found, 'variables'),
    extensions: recordOf(found, 'extensions'),
    documentId: stringOf(found, 'documentId'),
  };
}

function jsonOf(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest(`The parameter \`${name}\` is not JSON.`);
  }
}

function stringOf(body: Record<string, unknown>, name: string): string | null {
  const value = body[name];
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return value;
  throw badRequest(`\`${name}\` must be a string.`);
}

function recordOf(body: Record<string, unknown>, name: string): Record<string, unknown> | null {
  const value = body[name];
  if (value === undefined || value === null) return null;
  if (isRecord(value)) return value;
  throw badRequest(`\`${name}\` must be a JSON object.`);
}
