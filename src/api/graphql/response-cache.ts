import { createHash } from 'node:crypto';
import type { ApolloServerPlugin } from '@apollo/server';
import responseCachePlugin from '@apollo/server-plugin-response-cache';
import { print, type DocumentNode, type OperationDefinitionNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { TextCache } from '../../cache/cache.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { cachePolicyOf } from './cache-policy.ts';
import type { ApiContext } from './context.ts';

/** The part of Apollo's KeyValueCache that the plugin uses. */
interface SecondsCache {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string, options?: { ttl?: number | null }): Promise<void>;
  delete(key: string): Promise<void>;
}

interface NormalizedOperation {
  readonly hash: string;
  /** Declared variables, sorted. */
  readonly variables: readonly string[];
}

/** Keys stay short: whatever is longer is hashed. */
const MAX_PLAIN_VARIABLES = 200;
const MAX_SEEN = 1_000;
const MAX_SEEN_CHARACTERS = 8 * 1024 * 1024;

const normalized = new WeakMap<OperationDefinitionNode, NormalizedOperation>();

/** Whole public answers. Operations with any private or uncacheable field are neither looked up nor stored. */
export function createResponseCachePlugin(options: {
  readonly cache: TextCache;
  readonly metrics: Pick<Metrics, 'responseCache'>;
}): ApolloServerPlugin<ApiContext> {
  const plugin: ApolloServerPlugin<ApiContext> = responseCachePlugin<ApiContext>({
    cache: inSeconds(options.cache),
    // Hidden items and changed rankings leave the answers with the generation.
    extraCacheKeyData: async ({ contextValue }) => contextValue.useCases.generation(),
    generateCacheKey: ({ document, operation, request }, { extra }) =>
      document === undefined || operation === undefined || operation === null
        ? ''
        : keyOf(document, operation, request.variables ?? {}, String(extra)),
    shouldReadFromCache: async ({ schema, document, operation }) => {
      if (document === undefined || operation === undefined || operation === null) return false;
      const { maxAge, scope } = cachePolicyOf(schema, document, operation);
      return maxAge > 0 && scope === 'PUBLIC';
    },
  });
  return {
    async requestDidStart(requestContext) {
      const listener = await plugin.requestDidStart?.(requestContext);
      if (!listener) return listener;
      return {
        ...listener,
        async willSendResponse(context) {
          if (context.metrics.responseCacheHit === true) options.metrics.responseCache.inc({ outcome: 'hit' });
          else if (context.overallCachePolicy.policyIfCacheable() !== null) {
            options.metrics.responseCache.inc({ outcome: 'miss' });
          }
          await listener.willSendResponse?.(context);
        },
      };
    },
  };
}

/** Layout, comments, the order of variables, and variables that are not declared make no difference. */
function keyOf(
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
  generation: string,
): string {
  let known = normalized.get(operation);
  if (known === undefined) {
    known = {
      hash: sha256(JSON.stringify([print(document), operation.name?.value ?? null])),
      variables: (operation.variableDefinitions ?? []).map((definition) => definition.variable.name.value).sort(),
    };
    normalized.set(operation, known);
  }
  const used: Record<string, unknown> = {};
  for (const name of known.variables) if (variables[name] !== undefined) used[name] = variables[name];
  const text = JSON.stringify(used);
  return `${known.hash}:${generation}:${text.length > MAX_PLAIN_VARIABLES ? sha256(text) : text}`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

/**
 * Apollo counts in seconds and takes what comes back for whole: an entry that does not parse is made a miss here, checked
 * once per text.
 */
function inSeconds(cache: TextCache): SecondsCache {
  const seen = new LRUCache<string, string>({
    max: MAX_SEEN,
    maxSize: MAX_SEEN_CHARACTERS,
    sizeCalculation: (text) => text.length + 1,
  });
  return {
    async get(key) {
      const text = await cache.get(key);
      if (text === undefined || seen.get(key) === text) return text;
      if (!isEntry(text)) return undefined;
      seen.set(key, text);
      return text;
    },
    async set(key, value, setOptions) {
      const ttlMs = Math.floor((setOptions?.ttl ?? 0) * 1_000);
      if (ttlMs > 0) await cache.set(key, value, ttlMs);
    },
    delete: (key) => cache.delete(key),
  };
}

function isEntry(text: string): boolean {
  try {
    const entry: unknown = JSON.parse(text);
    return (
      isObject(entry) &&
      isObject(entry['data']) &&
      isObject(entry['cachePolicy']) &&
      typeof entry['cacheTime'] === 'number'
    );
  } catch {
    return false;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
