import { LRUCache } from 'lru-cache';
import type { TextCache } from '../../cache/cache.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { badRequest, HttpError } from '../http/http-error.ts';
import type { ParsedRequest } from '../http/graphql-request.ts';
import { isRecord } from '../../runtime/is-record.ts';
import { NOTHING_LISTED, normalizeDocumentId, sha256, type ListedDocuments } from './manifests.ts';

/**
 * - `off`: ids are refused.
 * - `automatic`: listed ids, and APQ: a text is remembered under its hash.
 * - `log`: as `automatic`, and what `enforce` would refuse is logged and counted.
 * - `enforce`: only what is listed runs, by an id or by its exact text.
 *
 * | code | status | when |
 * |---|---|---|
 * | PERSISTED_QUERY_NOT_SUPPORTED | 200 | `off`, and an id was sent: send the text |
 * | PERSISTED_QUERY_NOT_FOUND | 200 | `automatic`, `log`: send text and id once |
 * | PERSISTED_QUERY_HASH_MISMATCH | 400 | `automatic`, `log`: the id is not that of the text |
 * | PERSISTED_QUERY_NOT_IN_LIST | 400 | `enforce`: neither the id nor the text is listed |
 * | PERSISTED_QUERY_ID_WITH_BODY | 400 | `enforce`: both an id and a text were sent |
 *
 * The two with 200 are part of Apollo's APQ protocol: its mobile clients take any other status for a failed transport.
 */
export type PersistedQueryMode = 'off' | 'automatic' | 'log' | 'enforce';

export interface PersistedDocuments {
  /** The text to run. A plain value unless the shared cache must be asked. Throws, or rejects with, HttpError. */
  resolve(request: ParsedRequest): string | Promise<string>;
  /** Remembers a text that came with its hash; called once it has run well, so that nobody fills the cache with nonsense. */
  remember(request: ParsedRequest): void;
}

export interface PersistedDocumentsOptions {
  readonly mode: PersistedQueryMode;
  readonly listed?: () => ListedDocuments;
  readonly cache: TextCache;
  readonly ttlMs?: number;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

const DAY_MS = 86_400_000;
const RETRY_HEADERS = { 'cache-control': 'private, no-cache, must-revalidate' };

export function createPersistedDocuments(options: PersistedDocumentsOptions): PersistedDocuments {
  const { mode, cache } = options;
  const listed = options.listed ?? (() => NOTHING_LISTED);
  const ttlMs = options.ttlMs ?? 7 * DAY_MS;
  const outcomes = options.metrics.persistedQueries;
  // A rate sees a counter grow only from a value that was there before.
  for (const outcome of ['listed', 'automatic', 'not_found', 'unlisted', 'refused']) outcomes.inc({ outcome }, 0);
  /** A hash names its text for ever, so what is known here needs no look at the shared cache. */
  const known = new LRUCache<string, string>({
    max: 5_000,
    maxSize: 20_000_000,
    sizeCalculation: (text) => text.length + 1,
  });

  /** What `enforce` would refuse. */
  function reportUnlisted(
    query: string,
    request: ParsedRequest,
    why = 'document is not in the persisted query manifests',
  ): void {
    outcomes.inc({ outcome: 'unlisted' });
    options.logger.warn({ operationName: request.operationName?.slice(0, 100) ?? null, sha256: sha256(query) }, why);
  }

  async function fromCache(id: string, request: ParsedRequest): Promise<string> {
    const query = await cache.get(`apq:${id}`);
    // The cache is shared: an entry that is not what its key says must not run.
    if (query === undefined || sha256(query) !== id) {
      outcomes.inc({ outcome: 'not_found' });
      throw new HttpError(200, 'PERSISTED_QUERY_NOT_FOUND', 'PersistedQueryNotFound', { headers: RETRY_HEADERS });
    }
    known.set(id, query);
    outcomes.inc({ outcome: 'automatic' });
    if (mode === 'log') reportUnlisted(query, request);
    return query;
  }

  function resolveText(query: string, request: ParsedRequest): string {
    if (mode === 'enforce' && !listed().bodies.has(query)) throw notInList();
    if (mode === 'log' && !listed().bodies.has(query)) reportUnlisted(query, request);
    return query;
  }

  function resolveBoth(query: string, id: string, request: ParsedRequest): string {
    if (mode === 'enforce') {
      outcomes.inc({ outcome: 'refused' });
      throw new HttpError(
        400,
        'PERSISTED_QUERY_ID_WITH_BODY',
        'Send the id of a persisted query or its text, not both.',
      );
    }
    if (listed().byId.get(id) !== query && sha256(query) !== id) {
      outcomes.inc({ outcome: 'refused' });
      throw new HttpError(400, 'PERSISTED_QUERY_HASH_MISMATCH', 'The hash is not that of the query.');
    }
    // Also a listed one: `enforce` takes one or the other.
    if (mode === 'log') reportUnlisted(query, request, 'document comes with its id');
    return query;
  }

  function resolveId(id: string, request: ParsedRequest): string | Promise<string> {
    const text = listed().byId.get(id);
    if (text !== undefined) {
      outcomes.inc({ outcome: 'listed' });
      return text;
    }
    if (mode === 'enforce') throw notInList();
    const remembered = known.get(id);
    if (remembered === undefined) return fromCache(id, request);
    outcomes.inc({ outcome: 'automatic' });
    if (mode === 'log') reportUnlisted(remembered, request);
    return remembered;
  }

  function notInList(): HttpError {
    outcomes.inc({ outcome: 'refused' });
    return new HttpError(400, 'PERSISTED_QUERY_NOT_IN_LIST', 'Only registered operations run here, and this is none.');
  }

  return {
    resolve(request) {
      const id = documentIdOf(request);
      if (id === null) {
        if (request.query === null || request.query === '')
          throw badRequest('The request has neither a `query` nor the id of one.');
        return mode === 'off' || mode === 'automatic' ? request.query : resolveText(request.query, request);
      }
      if (mode === 'off') {
        throw new HttpError(200, 'PERSISTED_QUERY_NOT_SUPPORTED', 'PersistedQueryNotSupported', {
          headers: RETRY_HEADERS,
        });
      }
      return request.query === null ? resolveId(id, request) : resolveBoth(request.query, id, request);
    },
    remember(request) {
      if (request.query === null || mode === 'off' || mode === 'enforce') return;
      const id = documentIdOf(request);
      if (id === null || known.has(id) || listed().byId.has(id)) return;
      known.set(id, request.query);
      void cache.set(`apq:${id}`, request.query, ttlMs);
    },
  };
}

function documentIdOf(request: ParsedRequest): string | null {
  const persisted = request.extensions?.['persistedQuery'];
  if (persisted === undefined || persisted === null) {
    return request.documentId === null ? null : normalizeDocumentId(request.documentId);
  }
  if (!isRecord(persisted) || persisted['version'] !== 1 || typeof persisted['sha256Hash'] !== 'string') {
    throw badRequest('`extensions.persistedQuery` must be `{ version: 1, sha256Hash }`.');
  }
  const id = normalizeDocumentId(persisted['sha256Hash']);
  if (request.documentId !== null && normalizeDocumentId(request.documentId) !== id) {
    throw badRequest('`documentId` and `extensions.persistedQuery` name different documents.');
  }
  return id;
}
