import type { IncomingMessage } from 'node:http';
import {
  HeaderMap,
  type ApolloServer,
  type BaseContext,
  type GraphQLRequest,
  type GraphQLResponse,
  type HTTPGraphQLRequest,
} from '@apollo/server';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { DeadlineError, PublicError } from '../../runtime/errors.ts';
import type { Span } from '../../runtime/tracing.ts';
import { checkContentType, parseBody, parseSearch, type ParsedRequest } from './graphql-request.ts';
import { errorAnswer, errorBody, type HttpAnswer } from './http-answer.ts';
import { ClientGoneError, HttpError, serviceBusy, serviceUnavailable } from './http-error.ts';
import type { Identifier } from '../identity/identity.ts';
import { negotiateType, prefersHtml } from './media-types.ts';
import type { PersistedDocuments } from '../persisted/persisted-documents.ts';
import type { Admission, Ticket } from '../limits/admission.ts';
import { createPatience } from '../limits/patience.ts';
import { createDocumentCheck } from '../limits/query-limits.ts';
import { readBody } from './read-body.ts';
import { textOf } from '../data-text.ts';
import { unhashed } from '../unhashed-text.ts';
import type { RequestContext } from '../request-context.ts';

/** What a request comes in with. */
export interface Entry {
  readonly admission: Admission;
  readonly ticket: Ticket;
  readonly span: Span | null;
}

export interface GraphqlEndpoint {
  /**
   * `search`: what follows the question mark. Enters with the ticket once all of the request is there. Rejects with
   * ClientGoneError alone: there is nobody to answer. Every other fault is an answer.
   */
  answer(request: IncomingMessage, search: string, entry: Entry): Promise<HttpAnswer>;
}

export interface GraphqlEndpointOptions<Context extends BaseContext> {
  readonly apollo: ApolloServer<Context>;
  readonly createContext: (request: RequestContext) => Context;
  readonly identifier: Identifier;
  readonly documents: PersistedDocuments;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Whether a browser that opens the URL gets Apollo Sandbox. */
  readonly landingPage: boolean;
  readonly maxBodyBytes?: number;
  /** Of all bodies that are still on their way. */
  readonly maxIncomingBytes?: number;
  readonly deadlineMs?: number;
}

const MIB = 1_048_576;
/** Senders that are slow hold no place; what they have sent so far is held to this. */
const MAX_INCOMING_BYTES = 64 * MIB;
/** Above what any request takes while all is well, below the 20 s that nginx waits. */
const DEADLINE_MS = 10_000;
/**
 * Plugins see no headers: all they may use is in the context. One map for all requests, never written to. Apollo matches
 * `accept` against its multipart types at each request, at length when it is missing; empty, it takes none of them.
 */
const NO_HEADERS = new HeaderMap([['accept', '']]);
const POST: HTTPGraphQLRequest = { method: 'POST', headers: NO_HEADERS, search: '', body: undefined };
/** With it Apollo refuses mutations. */
const GET: HTTPGraphQLRequest = { ...POST, method: 'GET' };

/**
 * HTTP in front of Apollo's pipeline, by `executeOperation`: `executeHTTPGraphQLRequest` would parse media types, check for
 * CSRF and negotiate again, on every request.
 */
export function createGraphqlEndpoint<Context extends BaseContext>(
  options: GraphqlEndpointOptions<Context>,
): GraphqlEndpoint {
  const { apollo, createContext, identifier, documents, logger, metrics, landingPage } = options;
  const maxBodyBytes = options.maxBodyBytes ?? MIB;
  const { deadlineMs = DEADLINE_MS } = options;
  const documentCheck = createDocumentCheck();
  const onFull = (): void => metrics.rateLimited.inc({ limit: 'busy' });
  const incoming = { bytes: 0, maxBytes: options.maxIncomingBytes ?? MAX_INCOMING_BYTES, onFull };

  async function answer(
    request: IncomingMessage,
    search: string,
    { admission, ticket, span }: Entry,
  ): Promise<HttpAnswer> {
    const isPost = request.method === 'POST';
    if (landingPage && !isPost && search === '' && prefersHtml(request.headers.accept))
      return landingPageAnswer(apollo);
    const type = negotiateType(request.headers.accept);
    if (type === null) {
      throw new HttpError(
        406,
        'NOT_ACCEPTABLE',
        'The answer is application/json or application/graphql-response+json.',
      );
    }
    checkContentType(request);
    const identified = identifier.identify(request.headers);
    const identity = identified instanceof Promise ? await identified : identified;
    const body = isPost ? await readBody(request, maxBodyBytes, incoming) : null;
    if (!admission.enter(ticket)) {
      onFull();
      throw serviceBusy();
    }
    const parsed = body === null ? parseSearch(search) : parseBody(body);
    const resolved = documents.resolve(parsed);
    const query = typeof resolved === 'string' ? resolved : await resolved;
    const fault = documentCheck.check(query);
    if (fault !== null) {
      metrics.rateLimited.inc({ limit: 'complexity' });
      throw new HttpError(400, 'GRAPHQL_VALIDATION_FAILED', fault.message);
    }
    if (request.socket.destroyed) throw new ClientGoneError();
    const patience = createPatience(request.socket, deadlineMs);
    const idempotencyKey = request.headers['idempotency-key'];
    const contextValue = createContext({
      identity,
      idempotencyKey: typeof idempotencyKey === 'string' ? idempotencyKey : null,
      patience,
      pause: (work) => admission.pause(ticket, work),
      span,
    });
    const operation = toOperation(query, parsed, isPost ? POST : GET);
    const response = await patience.wait(apollo.executeOperation(operation, { contextValue }));
    const result = toAnswer(response, type);
    if (result.status === 200) documents.remember(parsed);
    return result;
  }

  function faultAnswer(error: unknown, span: Span | null): HttpAnswer {
    if (error instanceof ClientGoneError) throw error;
    if (error instanceof DeadlineError) return faultAnswer(serviceUnavailable(error), span);
    if (error instanceof PublicError) {
      if (error instanceof HttpError && error.status === 413) metrics.rateLimited.inc({ limit: 'body' });
      if (error.cause !== undefined) logger.warn({ error, ...span?.fields }, 'request refused');
      return errorAnswer(error);
    }
    logger.error({ error, ...span?.fields }, 'request failed');
    return errorAnswer(new HttpError(500, 'INTERNAL_SERVER_ERROR', 'Internal server error'));
  }

  return {
    answer: (request, search, entry) =>
      answer(request, search, entry).catch((error: unknown) => faultAnswer(error, entry.span)),
  };
}

function toOperation(query: string, parsed: ParsedRequest, http: HTTPGraphQLRequest) {
  // Resolved by now; Apollo must not do so again.
  const extensions = { ...parsed.extensions, ...unhashed(query) };
  const operation: { http: HTTPGraphQLRequest } & GraphQLRequest = { http, extensions };
  if (parsed.operationName !== null) operation.operationName = parsed.operationName;
  if (parsed.variables !== null) operation.variables = parsed.variables;
  return operation;
}

function toAnswer({ http, body }: GraphQLResponse<unknown>, type: string): HttpAnswer {
  const headers: Record<string, string> = { 'content-type': type };
  for (const [name, value] of http.headers) headers[name] = value;
  if (body.kind !== 'single') {
    return {
      status: 406,
      headers,
      body: JSON.stringify(errorBody('NOT_ACCEPTABLE', '@defer and @stream are not supported.')),
    };
  }
  const { errors, data, extensions } = body.singleResult;
  const text = errors === undefined && extensions === undefined ? textOf(data) : undefined;
  const json = text === undefined ? JSON.stringify({ errors, data, extensions }) : `{"data":${text}}`;
  return { status: http.status ?? 200, headers, body: json };
}

async function landingPageAnswer<Context extends BaseContext>(apollo: ApolloServer<Context>): Promise<HttpAnswer> {
  const { body } = await apollo.executeHTTPGraphQLRequest({
    httpGraphQLRequest: { ...GET, headers: new HeaderMap([['accept', 'text/html']]) },
    context: () => Promise.reject(new HttpError(404, 'NOT_FOUND', 'There is no landing page.')),
  });
  const headers = { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' };
  return { status: 200, headers, body: body.kind === 'complete' ? body.string : '' };
}
