import type { ApolloServer } from '@apollo/server';
import { createMemoryPendingWrites } from '../../src/adapters/memory-pending-writes.ts';
import { createApolloServer } from '../../src/api/graphql/apollo-server.ts';
import { createContext, type ApiContext, type UseCases } from '../../src/api/graphql/context.ts';
import { createPatience } from '../../src/api/limits/patience.ts';
import { APOLLO_LIMITS } from '../../src/api/limits/query-limits.ts';
import type { Identity } from '../../src/api/request-context.ts';
import { createUseCases } from '../../src/api/graphql/use-cases.ts';
import type { TextCache } from '../../src/cache/cache.ts';
import type { ErasedViewer } from '../../src/interactions/eraser.ts';
import type { PendingWrites } from '../../src/interactions/pending-writes.ts';
import { viewerKeyOf } from '../../src/interactions/viewer-key.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { createMetrics } from '../../src/runtime/metrics.ts';
import { createMemoryInteractionReader, type MemoryInteractionReader } from './memory-interaction-reader.ts';
import { createMemoryItemStore, type MemoryItemStore } from './memory-item-store.ts';
import { createMemoryPopularityReader, rankedItems, type MemoryPopularityReader } from './memory-popularity-reader.ts';
import { createMemoryQueue, type MemoryQueue } from './memory-queue.ts';
import { createMemoryRankingStore } from './memory-ranking-store.ts';
import { createMemoryWriteProgress, type MemoryWriteProgress } from './memory-write-progress.ts';
import { createMemoryTextCache, type MemoryTextCache } from './memory-text-cache.ts';

export const NOBODY: Identity = { userId: null, deviceId: null, key: null, isAdmin: false };
export const ANN: Identity = { userId: 'ann', deviceId: null, key: viewerKeyOf({ userId: 'ann' }), isAdmin: false };
export const BOB: Identity = { userId: 'bob', deviceId: null, key: viewerKeyOf({ userId: 'bob' }), isAdmin: false };
export const PHONE: Identity = { userId: null, deviceId: 'p', key: viewerKeyOf({ deviceId: 'p' }), isAdmin: false };
export const ADMIN: Identity = { userId: 'root', deviceId: null, key: viewerKeyOf({ userId: 'root' }), isAdmin: true };

export interface Answer {
  readonly data: Record<string, unknown> | null | undefined;
  readonly errors: readonly { readonly message: string; readonly code: unknown }[];
  readonly status: number | undefined;
  header(name: string): string | undefined;
}

export interface TestApi extends AsyncDisposable {
  readonly server: ApolloServer<ApiContext>;
  readonly useCases: UseCases;
  readonly items: MemoryItemStore;
  readonly reader: MemoryPopularityReader;
  readonly interactions: MemoryInteractionReader;
  readonly progress: MemoryWriteProgress;
  readonly pending: PendingWrites;
  readonly queue: MemoryQueue;
  readonly cache: MemoryTextCache;
  readonly erased: string[];
  ask(
    query: string,
    request?: {
      readonly as?: Identity;
      readonly variables?: Record<string, unknown>;
      readonly idempotencyKey?: string;
      readonly operationName?: string;
      /** The connection of whoever asks. */
      readonly client?: { readonly destroyed: boolean };
    },
  ): Promise<Answer>;
}

const CONNECTED = { destroyed: false };
const DEADLINE_MS = 10_000;
const NO_NAMES: ReadonlySet<string> = new Set();
const metrics = createMetrics();
const logger = createLogger('silent', 'test');

interface IdleServer {
  readonly server: ApolloServer<ApiContext>;
  cache: MemoryTextCache;
}

/** Making the schema takes longer than most tests, and servers keep nothing but their cache. */
const idle: IdleServer[] = [];

async function takeServer(cache: MemoryTextCache): Promise<IdleServer> {
  const known = idle.pop();
  if (known !== undefined) {
    known.cache = cache;
    return known;
  }
  const delegate: TextCache = {
    get: (key) => taken.cache.get(key),
    set: (key, value, ttlMs) => taken.cache.set(key, value, ttlMs),
    delete: (key) => taken.cache.delete(key),
  };
  const server = createApolloServer({
    cache: delegate,
    limits: APOLLO_LIMITS,
    production: true,
    metrics,
    operationNames: () => NO_NAMES,
    logger,
  });
  const taken: IdleServer = { server, cache };
  await server.start();
  return taken;
}

/** The GraphQL half of the API over ports in memory, with items a to e, ranked in that order. */
export async function startTestApi(
  options: { readonly cacheTtlMs?: number; readonly anonymousWrites?: boolean } = {},
): Promise<TestApi> {
  const ids = ['a', 'b', 'c', 'd', 'e'];
  const items = createMemoryItemStore(ids.map((id) => ({ id })));
  const reader = createMemoryPopularityReader(rankedItems(ids));
  const interactions = createMemoryInteractionReader();
  const progress = createMemoryWriteProgress();
  const pending = createMemoryPendingWrites();
  const queue = createMemoryQueue();
  const cache = createMemoryTextCache();
  const erased: string[] = [];
  const eraser = {
    async erase(viewer: string): Promise<ErasedViewer> {
      erased.push(viewer);
      return { interactions: 7 };
    },
  };
  const { useCases, start, stop } = createUseCases({
    ports: {
      queue,
      interactions,
      progress,
      pending,
      eraser,
      items,
      rankings: createMemoryRankingStore(),
      popularity: reader,
    },
    maxAgeDays: 30,
    anonymousWrites: options.anonymousWrites ?? true,
    cacheTtlMs: options.cacheTtlMs ?? 500,
    metrics,
    logger,
  });
  await start();
  const taken = await takeServer(cache);
  const { server } = taken;

  return {
    server,
    useCases,
    items,
    reader,
    interactions,
    progress,
    pending,
    queue,
    cache,
    erased,
    async ask(query, request = {}) {
      const { body, http } = await server.executeOperation(
        {
          query,
          variables: request.variables ?? {},
          ...(request.operationName === undefined ? {} : { operationName: request.operationName }),
        },
        {
          contextValue: createContext(useCases, {
            identity: request.as ?? NOBODY,
            idempotencyKey: request.idempotencyKey ?? null,
            patience: createPatience(request.client ?? CONNECTED, DEADLINE_MS),
            pause: (work) => work,
          }),
        },
      );
      if (body.kind !== 'single') throw new Error('an incremental answer');
      const { data, errors } = body.singleResult;
      return {
        data: data === undefined || data === null ? data : JSON.parse(JSON.stringify(data)),
        errors: (errors ?? []).map(({ message, extensions }) => ({ message, code: extensions?.['code'] })),
        status: http.status,
        header: (name) => http.headers.get(name),
      };
    },
    async [Symbol.asyncDispose]() {
      await stop();
      idle.push(taken);
    },
  };
}
