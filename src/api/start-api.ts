import { ApolloServerPluginLandingPageLocalDefault } from '@apollo/server/plugin/landingPage/default';
import type { Ports } from '../ports.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { Readiness } from '../runtime/readiness.ts';
import type { Tracing } from '../runtime/tracing.ts';
import { createApolloServer } from './graphql/apollo-server.ts';
import { createContext } from './graphql/context.ts';
import { createGraphqlEndpoint } from './http/graphql-endpoint.ts';
import { createHttpServer } from './http/http-server.ts';
import { createIdentifier, type AuthOptions } from './identity/identity.ts';
import { watchManifests } from './persisted/manifest-watcher.ts';
import { createPersistedDocuments, type PersistedQueryMode } from './persisted/persisted-documents.ts';
import { APOLLO_LIMITS } from './limits/query-limits.ts';
import { createUseCases } from './graphql/use-cases.ts';

export interface ApiOptions {
  readonly host: string;
  readonly port: number;
  /** Apollo Sandbox and introspection are for development. */
  readonly production: boolean;
  readonly auth: AuthOptions;
  readonly anonymousWrites: boolean;
  readonly persistedQueries: PersistedQueryMode;
  readonly persistedQueryManifests: readonly string[];
  readonly corsOrigins: readonly string[];
  readonly maxRequestsInFlight: number;
  readonly maxEventLoopLagMs: number;
  readonly maxAgeDays: number;
  readonly cacheTtlMs: number;
  readonly drainGraceMs: number;
  readonly readiness: Readiness;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracing?: Tracing;
}

export interface RunningApi {
  /** The one the system chose, when 0 was asked for. */
  readonly port: number;
  /** Answers what is in flight, for `deadlineMs` at most; then nothing of the API runs any more. */
  drain(deadlineMs: number): Promise<void>;
  /** As `drain`, but new connections are for the other processes on the port, from now on, and those are ready. */
  handOver(deadlineMs: number): Promise<void>;
}

/** So long a client that keeps its connection may take to send a request on it, and learn from the answer to leave. */
const HAND_OVER_IDLE_MS = 5_000;

/** The API of one process, listening. Rejects with the system's error when it cannot listen, such as EADDRINUSE. */
export async function startApi(ports: Ports, options: ApiOptions): Promise<RunningApi> {
  const { logger, metrics, tracing, production, readiness } = options;
  const { auth } = options;
  if (auth.kind === 'development') {
    logger.warn('development identity: x-user-id and x-user-role are believed, whoever sends them');
  }
  const manifests = await watchManifests({ patterns: options.persistedQueryManifests, logger });
  const running = createUseCases({
    ports,
    maxAgeDays: options.maxAgeDays,
    anonymousWrites: options.anonymousWrites,
    cacheTtlMs: options.cacheTtlMs,
    metrics,
    logger,
  });
  const apollo = createApolloServer({
    cache: ports.cache,
    limits: APOLLO_LIMITS,
    production,
    metrics,
    operationNames: () => manifests.current().names,
    logger,
    plugins: production ? [] : [ApolloServerPluginLandingPageLocalDefault()],
  });
  async function end(): Promise<void> {
    manifests.close();
    await running.stop();
    await apollo.stop();
  }
  await apollo.start();
  const endpoint = createGraphqlEndpoint({
    apollo,
    createContext: (request) => createContext(running.useCases, request),
    identifier: createIdentifier(auth),
    documents: createPersistedDocuments({
      mode: options.persistedQueries,
      listed: manifests.current,
      cache: ports.cache,
      logger,
      metrics,
    }),
    logger,
    metrics,
    landingPage: !production,
  });
  const server = createHttpServer({
    endpoint,
    readiness,
    metrics,
    ...(tracing === undefined ? {} : { tracing }),
    logger,
    corsOrigins: options.corsOrigins,
    maxRequestsInFlight: options.maxRequestsInFlight,
    maxEventLoopLagMs: options.maxEventLoopLagMs,
    drainGraceMs: options.drainGraceMs,
  });
  try {
    await running.start();
    const { port } = await server.listen({ host: options.host, port: options.port });
    return {
      port,
      async drain(deadlineMs) {
        try {
          await server.drain(deadlineMs);
        } finally {
          await end();
        }
      },
      handOver: (deadlineMs) => server.handOver(Math.min(HAND_OVER_IDLE_MS, deadlineMs), deadlineMs),
    };
  } catch (error) {
    await end();
    throw error;
  }
}
