import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import type { DocumentNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { TextCache } from '../../cache/cache.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { createAnswerPlugin } from './answer-plugin.ts';
import type { ApiContext } from './context.ts';
import { createFormatError } from './format-error.ts';
import { loadSchemaText } from './load-schema.ts';
import type { ApolloLimits } from '../limits/query-limits.ts';
import { UNHASHED_TEXTS } from '../unhashed-text.ts';
import { resolvers } from './resolvers/resolvers.ts';

export interface ApolloServerSettings {
  /** Holds whole answers. */
  readonly cache: TextCache;
  readonly limits: ApolloLimits;
  /** No introspection, no hints at the schema in errors. */
  readonly production: boolean;
  readonly metrics: Pick<Metrics, 'responseCache' | 'operations' | 'operationDuration'>;
  /** Names of operations that metrics may tell apart. */
  readonly operationNames: () => ReadonlySet<string>;
  readonly logger: Logger;
  readonly plugins?: readonly ApolloServerPlugin<ApiContext>[];
}

/** Characters of texts and of their documents, as JSON. */
const MAX_DOCUMENT_CHARACTERS = 30 * 1024 * 1024;

/** Apollo's own counts the document alone, without the text that is its key here and that each of its nodes leads to. */
function createDocumentStore() {
  const documents = new LRUCache<string, DocumentNode>({
    maxSize: MAX_DOCUMENT_CHARACTERS,
    sizeCalculation: (document, text) => JSON.stringify(document).length + text.length,
  });
  return {
    get: async (text: string) => documents.get(text),
    set: async (text: string, document: DocumentNode) => void documents.set(text, document),
    delete: async (text: string) => documents.delete(text),
  };
}

/**
 * GraphQL over the use-cases in its context; not started. Texts of persisted queries are resolved before it, and identity
 * comes in the context: see createContext.
 */
export function createApolloServer(settings: ApolloServerSettings): ApolloServer<ApiContext> {
  const { cache, limits, metrics, production, logger } = settings;
  return new ApolloServer<ApiContext>({
    typeDefs: loadSchemaText(),
    resolvers,
    ...limits,
    introspection: !production,
    hideSchemaDetailsFromClientErrors: production,
    includeStacktraceInErrorResponses: false,
    formatError: createFormatError(logger, production),
    documentStore: createDocumentStore(),
    // Each names the whole value that it is about.
    executionOptions: { maxCoercionErrors: 5 },
    logger,
    nodeEnv: production ? 'production' : 'development',
    persistedQueries: { cache: UNHASHED_TEXTS },
    stopOnTerminationSignals: false,
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      createAnswerPlugin({ cache, metrics, listed: settings.operationNames }),
      ...(settings.plugins ?? []),
    ],
  });
}
