import { connect } from 'node:net';
import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginCacheControl } from '@apollo/server/plugin/cacheControl';
import { ApolloServerPluginLandingPageLocalDefault } from '@apollo/server/plugin/landingPage/default';
import { createMemoryTextCache } from '../../../test/fakes/memory-text-cache.ts';
import type { TextCache } from '../../cache/cache.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { createReadiness, type ReadinessCheck } from '../../runtime/readiness.ts';
import { createFormatError } from '../graphql/format-error.ts';
import { createGraphqlEndpoint } from '../http/graphql-endpoint.ts';
import { createHttpServer, type HttpServerOptions } from '../http/http-server.ts';
import { createIdentifier, type AuthOptions } from '../identity/identity.ts';
import type { ListedDocuments } from '../persisted/manifests.ts';
import { createPersistedDocuments, type PersistedQueryMode } from '../persisted/persisted-documents.ts';
import { APOLLO_LIMITS } from '../limits/query-limits.ts';
import type { RequestContext } from '../request-context.ts';
import { UNHASHED_TEXTS } from '../unhashed-text.ts';

const typeDefs = `
  directive @cacheControl(maxAge: Int) on FIELD_DEFINITION
  type Query {
    hello: String! @cacheControl(maxAge: 60)
    echo(text: String!): String!
    who: String!
    key: String
    slow: String!
    node: Node
  }
  type Node { node: Node, name: String, nodes(first: Int! = 20): [Node!]! }
  type Mutation { add(by: Int!): Int! }
`;

export interface TransportOptions extends Partial<
  Pick<
    HttpServerOptions,
    | 'corsOrigins'
    | 'drainGraceMs'
    | 'maxRequestsInFlight'
    | 'requestTimeoutMs'
    | 'readerTimeoutMs'
    | 'maxEventLoopLagMs'
  >
> {
  readonly auth?: AuthOptions;
  readonly mode?: PersistedQueryMode;
  readonly listed?: () => ListedDocuments;
  readonly cache?: TextCache;
  readonly production?: boolean;
  readonly checks?: readonly ReadinessCheck[];
  readonly deadlineMs?: number;
  readonly maxIncomingBytes?: number;
}

/** The transport on a free port, in front of a small schema. `release` lets every waiting `slow` field answer. */
export async function startTransport(options: TransportOptions = {}) {
  const logger = createLogger('silent', 'test');
  const metrics = createMetrics();
  const waiting: (() => void)[] = [];
  let total = 0;
  const apollo = new ApolloServer<RequestContext>({
    typeDefs,
    resolvers: {
      Query: {
        hello: () => 'world',
        echo: (_: unknown, { text }: { text: string }) => text,
        who: (_: unknown, __: unknown, { identity }: RequestContext) => JSON.stringify(identity),
        key: (_: unknown, __: unknown, context: RequestContext) => context.idempotencyKey,
        slow: () => new Promise((resolve) => waiting.push(() => resolve('done'))),
      },
      Mutation: { add: (_: unknown, { by }: { by: number }) => (total += by) },
    },
    ...APOLLO_LIMITS,
    introspection: options.production !== true,
    hideSchemaDetailsFromClientErrors: true,
    formatError: createFormatError(logger, options.production === true),
    includeStacktraceInErrorResponses: false,
    csrfPrevention: false,
    persistedQueries: { cache: UNHASHED_TEXTS },
    plugins: [
      ApolloServerPluginCacheControl({ calculateHttpHeaders: 'if-cacheable' }),
      ApolloServerPluginLandingPageLocalDefault(),
    ],
  });
  await apollo.start();
  const readiness = createReadiness({ checks: options.checks ?? [], holdMs: 0, freshMs: 0 });
  const endpoint = createGraphqlEndpoint<RequestContext>({
    apollo,
    createContext: (context) => context,
    identifier: createIdentifier(options.auth ?? { kind: 'development' }),
    documents: createPersistedDocuments({
      mode: options.mode ?? 'automatic',
      ...(options.listed === undefined ? {} : { listed: options.listed }),
      cache: options.cache ?? createMemoryTextCache(),
      logger,
      metrics,
    }),
    logger,
    metrics,
    landingPage: options.production !== true,
    ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
    ...(options.maxIncomingBytes === undefined ? {} : { maxIncomingBytes: options.maxIncomingBytes }),
  });
  const server = createHttpServer({ ...options, endpoint, readiness, metrics, logger });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    port,
    server,
    metrics,
    total: () => total,
    waiting,
    release() {
      for (const resolve of waiting.splice(0)) resolve();
    },
    post: (body: unknown, headers: Record<string, string> = {}) =>
      fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    async [Symbol.asyncDispose]() {
      for (const resolve of waiting.splice(0)) resolve();
      await server.drain(0);
      await apollo.stop();
    },
  };
}

/** Sends `pieces` over a bare socket and gives back all that comes until the other side closes, or `until` is seen. */
export function sendRaw(port: number, pieces: string, until?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(pieces));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (until !== undefined && text.includes(until)) socket.destroy();
    });
    socket.on('close', () => resolve(text));
    socket.on('error', (error) => (text === '' ? reject(error) : resolve(text)));
  });
}

export async function codeOf(response: Response): Promise<string | undefined> {
  const body: { errors?: { extensions?: { code?: string } }[] } = JSON.parse(await response.text());
  return body.errors?.[0]?.extensions?.code;
}
