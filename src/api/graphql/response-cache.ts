import { hash } from 'node:crypto';
import type {
  ApolloServerPlugin,
  GraphQLRequestContext,
  GraphQLRequestContextResponseForOperation,
  GraphQLRequestContextWillSendResponse,
  GraphQLResponse,
} from '@apollo/server';
import responseCachePlugin from '@apollo/server-plugin-response-cache';
import { print, type DocumentNode, type OperationDefinitionNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { TextCache } from '../../cache/cache.ts';
import { isRecord } from '../../runtime/is-record.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { textData } from '../data-text.ts';
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

/** For one request whose operation may be kept: see `mayBeKept`. */
export interface CachedAnswer {
  /** The answer, or null on a miss. */
  find(request: GraphQLRequestContextResponseForOperation<ApiContext>): Promise<GraphQLResponse | null>;
  /** Puts the data into a found answer; keeps one that was executed. */
  finish(answered: GraphQLRequestContextWillSendResponse<ApiContext>): Promise<void>;
}

/** Whether an answer may be kept: operations with any private or uncacheable field are neither looked up nor stored. */
export function mayBeKept({ schema, document, operation }: GraphQLRequestContext<ApiContext>): boolean {
  if (document === undefined || operation === undefined || operation === null) return false;
  const { maxAge, scope } = cachePolicyOf(schema, document, operation);
  return maxAge > 0 && scope === 'PUBLIC';
}

/** Whole public answers, by Apollo's plugin. */
export function createResponseCache(options: {
  readonly cache: TextCache;
  readonly metrics: Pick<Metrics, 'responseCache'>;
}): (request: GraphQLRequestContext<ApiContext>) => Promise<CachedAnswer> {
  const entries = createEntryCache(options.cache);
  const hits = options.metrics.responseCache.labels('hit');
  const misses = options.metrics.responseCache.labels('miss');
  const plugin: ApolloServerPlugin<ApiContext> = responseCachePlugin<ApiContext>({
    cache: entries,
    // Hidden items and changed rankings leave the answers with the generation.
    extraCacheKeyData: async ({ contextValue }) => contextValue.useCases.generation(),
    generateCacheKey: ({ document, operation, request }, { extra }) =>
      document === undefined || operation === undefined || operation === null
        ? ''
        : keyOf(document, operation, request.variables ?? {}, String(extra)),
  });
  return async (request) => {
    const listener = (await plugin.requestDidStart?.(request)) ?? {};
    let hit: Entry | undefined;
    return {
      async find(context) {
        try {
          const response = (await listener.responseForOperation?.(context)) ?? null;
          hit = response?.body.kind === 'single' ? entries.entryOf(response.body.singleResult.data) : undefined;
          if (hit !== undefined) return response;
          context.metrics.responseCacheHit = false;
          return null;
        } catch (error) {
          // Variables nested deeper than JSON.stringify goes have no key, and fit no argument: execution says which.
          if (error instanceof RangeError) return null;
          throw error;
        }
      },
      async finish(context) {
        const { body } = context.response;
        if (hit !== undefined && body.kind === 'single') {
          hits.inc();
          body.singleResult.data = textData(hit.data);
          context.overallCachePolicy.restrict({ maxAge: Math.max(1, hit.untilMs - Date.now()) / 1_000 });
        } else if (context.overallCachePolicy.policyIfCacheable() !== null) {
          misses.inc();
        }
        await listener.willSendResponse?.(context);
      },
    };
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
  // Nothing inherited: `__proto__` may be the name of a variable.
  const used: Record<string, unknown> = { __proto__: null };
  for (const name of known.variables) if (variables[name] !== undefined) used[name] = variables[name];
  const plain = JSON.stringify(used);
  // Of 1e400 JSON reads Infinity, and writes null.
  const text = plain.includes('null') ? JSON.stringify(used, markInfinite) : plain;
  return `${known.hash}:${generation}:${text.length > MAX_PLAIN_VARIABLES ? sha256(text) : text}`;
}

function markInfinite(_name: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? { '': String(value) } : value;
}

function sha256(text: string): string {
  return hash('sha256', text, 'base64url');
}

interface Entry {
  readonly text: string;
  /** What the plugin parses at every hit: the entry with its key in place of the data. */
  readonly envelope: string;
  readonly data: string;
  /** Milliseconds since the epoch, of the process that kept it. */
  readonly untilMs: number;
}

/**
 * Apollo counts in seconds, takes what comes back for whole, and parses all of it at every hit. Here each text is checked
 * and taken apart once; the plugin is handed the entry without its data, which `entryOf` finds again, unless large ones that
 * others asked for at the same moment have displaced it. What is larger than all room is not kept.
 */
function createEntryCache(cache: TextCache): SecondsCache & { entryOf(data: unknown): Entry | undefined } {
  const entries = new LRUCache<string, Entry>({
    max: MAX_SEEN,
    maxSize: MAX_SEEN_CHARACTERS,
    sizeCalculation: ({ text }) => sizeOf(text),
  });
  return {
    async get(key) {
      const text = await cache.get(key);
      if (text === undefined) return undefined;
      const known = entries.get(key);
      if (known !== undefined && known.text === text) return known.envelope;
      const entry = takeApart(key, text);
      if (entry === undefined || sizeOf(text) > MAX_SEEN_CHARACTERS) return undefined;
      entries.set(key, entry);
      return entry.envelope;
    },
    async set(key, value, setOptions) {
      const ttlMs = Math.floor((setOptions?.ttl ?? 0) * 1_000);
      if (ttlMs > 0 && sizeOf(value) <= MAX_SEEN_CHARACTERS) await cache.set(key, value, ttlMs);
    },
    delete: (key) => cache.delete(key),
    entryOf(data) {
      const key = isRecord(data) ? data['key'] : undefined;
      return typeof key === 'string' ? entries.peek(key) : undefined;
    },
  };
}

/** Characters: of the text, and of the data that is cut from it. */
function sizeOf(text: string): number {
  return 2 * text.length + 1;
}

/** Undefined for what is no entry: a miss. */
function takeApart(key: string, text: string): Entry | undefined {
  try {
    const entry: unknown = JSON.parse(text);
    if (!isRecord(entry)) return undefined;
    const { data, cachePolicy, cacheTime } = entry;
    if (!isRecord(data) || !isRecord(cachePolicy)) return undefined;
    if (typeof cacheTime !== 'number' || typeof cachePolicy['maxAge'] !== 'number') return undefined;
    return {
      text,
      envelope: JSON.stringify({ ...entry, data: { key } }),
      data: JSON.stringify(data),
      untilMs: cacheTime + 1_000 * cachePolicy['maxAge'],
    };
  } catch {
    return undefined;
  }
}
