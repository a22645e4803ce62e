import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Server as SocketServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { listen, type Listening } from '../../runtime/listen.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { Readiness } from '../../runtime/readiness.ts';
import { noTracing, type Tracing } from '../../runtime/tracing.ts';
import { createAdmission, newTicket } from '../limits/admission.ts';
import { createCors } from './cors.ts';
import type { Entry, GraphqlEndpoint } from './graphql-endpoint.ts';
import { errorAnswer, jsonAnswer, type HttpAnswer } from './http-answer.ts';
import { createHoldBack } from './hold-back.ts';
import { badRequest, ClientGoneError, HttpError, serviceBusy } from './http-error.ts';
import { createSlowReaders } from './slow-readers.ts';
import { answerClientError } from './client-error.ts';
import { completeGetAnswer } from './conditional-get.ts';

export interface ApiHttpServer {
  /** Rejects with the system's error, such as EADDRINUSE. */
  listen(address: { readonly port: number; readonly host: string }): Promise<Listening>;
  /**
   * Not ready from now on and every answer says `Connection: close`; after `drainGraceMs` no new connection is taken.
   * Resolves when the requests in flight are answered. Rejects when some had to be cut off after `deadlineMs`.
   */
  drain(deadlineMs: number): Promise<void>;
  /**
   * For a process whose port others listen on as well: takes no new connection from now on, and is still ready. Every
   * answer says `Connection: close`, and a connection on which nothing comes is closed after `idleMs`. Resolves when none
   * is left, all of them cut off after `deadlineMs`.
   */
  handOver(idleMs: number, deadlineMs: number): Promise<void>;
}

export interface HttpServerOptions {
  readonly endpoint: GraphqlEndpoint;
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly tracing?: Tracing;
  readonly logger: Logger;
  readonly corsOrigins?: readonly string[];
  readonly maxRequestsInFlight?: number;
  readonly maxEventLoopLagMs?: number;
  /** Head and body together; a slower sender gets 408. */
  readonly requestTimeoutMs?: number;
  /** A client that takes nothing of its answer for so long is cut off. */
  readonly readerTimeoutMs?: number;
  readonly drainGraceMs?: number;
}

/** Short beside the second that a refused client is told to wait, since a proxy sends others over the same connection. */
const HOLD_BACK_MS = 100;
const BUSY = errorAnswer(serviceBusy());
/** How often a server that drains looks whether its last answers are taken. */
const FLUSH_POLL_MS = 20;
const GRAPHQL_METHODS = 'GET, HEAD, POST, OPTIONS';

export function createHttpServer(options: HttpServerOptions): ApiHttpServer {
  const { endpoint, readiness, metrics, logger, requestTimeoutMs = 14_000, tracing = noTracing } = options;
  const { maxRequestsInFlight = 1_000, maxEventLoopLagMs = 100, readerTimeoutMs = 10_000 } = options;
  const admission = createAdmission({ maxInFlight: maxRequestsInFlight, maxLagMs: maxEventLoopLagMs });
  const holdBack = createHoldBack(HOLD_BACK_MS);
  const slowReaders = createSlowReaders({ maxStillMs: readerTimeoutMs, onCut: () => slow.inc() });
  const slow = metrics.rateLimited.labels('reader');
  const cors = createCors(options.corsOrigins ?? []);
  const sockets = new Set<Socket>();
  /** Their answer went out before their body was in; nothing may be written after it. */
  const answeredEarly = new WeakSet<Socket>();
  const counters = { api: new Map<number, { inc(): void }>(), health: new Map<number, { inc(): void }>() };
  // A rate sees a counter grow only from a value that was there before.
  for (const status of ['500', '503']) metrics.httpRequests.inc({ status, route: 'api' }, 0);
  let isDraining = false;
  /** While and after the port was left to others: when the last connection has ended. */
  let handedOver: Promise<void> | undefined;
  metrics.httpInFlight.read({}, admission.inFlight);
  metrics.httpLimit.read({}, admission.limit);
  metrics.httpOpenShare.read({}, admission.openShare);

  const server = createServer(
    {
      // Answered below, as JSON.
      requireHostHeader: false,
      requestTimeout: requestTimeoutMs,
      headersTimeout: Math.min(10_000, requestTimeoutMs),
      connectionsCheckingInterval: Math.min(500, requestTimeoutMs),
      // Longer than proxies keep theirs, so that they close first and no request meets a closing connection.
      keepAliveTimeout: 75_000,
      noDelay: true,
    },
    (request, response) => void handle(request, response),
  );
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('clientError', (error, socket) => answerClientError(error, socket, answeredEarly));
  server.on('checkExpectation', (request, response) => {
    send(
      request,
      response,
      errorAnswer(new HttpError(417, 'EXPECTATION_FAILED', 'Only `100-continue` can be expected.')),
    );
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = performance.now();
    try {
      const answer = await route(request, response);
      send(request, response, answer);
      metrics.httpDuration.observe((performance.now() - startedAt) / 1_000);
    } catch (error) {
      if (!(error instanceof ClientGoneError)) logger.error({ error }, 'answering failed');
      response.destroy();
    }
  }

  function route(request: IncomingMessage, response: ServerResponse): HttpAnswer | Promise<HttpAnswer> {
    const target = request.url ?? '/';
    const mark = target.indexOf('?');
    const path = mark === -1 ? target : target.slice(0, mark);
    if (request.headers.host === undefined && request.httpVersion === '1.1') {
      return errorAnswer(badRequest('The Host header is missing.'));
    }
    if (path === '/graphql') return graphql(request, response, mark === -1 ? '' : target.slice(mark + 1));
    if (path !== '/health/live' && path !== '/health/ready') {
      return errorAnswer(new HttpError(404, 'NOT_FOUND', 'Nothing is here. The API is at /graphql.'));
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') return methodNotAllowed('GET, HEAD');
    return path === '/health/live' ? jsonAnswer(200, { live: true }) : ready();
  }

  async function ready(): Promise<HttpAnswer> {
    const report = await readiness.report();
    return jsonAnswer(report.ready ? 200 : 503, report);
  }

  async function graphql(request: IncomingMessage, response: ServerResponse, search: string): Promise<HttpAnswer> {
    const { method } = request;
    if (method !== 'POST' && method !== 'GET' && method !== 'HEAD') {
      return method === 'OPTIONS' ? allowed(request, cors.preflight(request)) : methodNotAllowed(GRAPHQL_METHODS);
    }
    const refusal = admission.refusal();
    if (refusal !== null) {
      metrics.rateLimited.inc({ limit: refusal });
      // Node reads what is left of the body once the answer is out, and resumes the socket for it.
      if (admission.isStorm()) response.once('finish', () => setImmediate(() => holdBack.hold(request.socket)));
      return allowed(request, { ...BUSY, headers: { ...BUSY.headers } });
    }
    const ticket = newTicket();
    try {
      return await tracing.request(request.headers, (span) => answered(request, search, { admission, ticket, span }));
    } finally {
      admission.leave(ticket);
    }
  }

  async function answered(request: IncomingMessage, search: string, entry: Entry): Promise<HttpAnswer> {
    const { method = '' } = request;
    const { span } = entry;
    span?.set({ 'http.request.method': method, 'url.path': '/graphql', 'http.route': '/graphql' });
    const answer = await endpoint.answer(request, search, entry);
    span?.set({ 'http.response.status_code': answer.status });
    if (answer.status >= 500) span?.fail(String(answer.status));
    return allowed(request, method === 'POST' ? answer : completeGetAnswer(request, answer));
  }

  function allowed(request: IncomingMessage, answer: HttpAnswer): HttpAnswer {
    cors.allow(request, answer);
    return answer;
  }

  function send(request: IncomingMessage, response: ServerResponse, { status, headers, body }: HttpAnswer): void {
    if (!request.complete) answeredEarly.add(request.socket);
    else {
      answeredEarly.delete(request.socket);
      if (isDraining) response.shouldKeepAlive = false;
    }
    const fields: string[] = ['x-content-type-options', 'nosniff'];
    for (const name in headers) fields.push(name, headers[name] ?? '');
    const length = Buffer.byteLength(body);
    if (status !== 204 && status !== 304) fields.push('content-length', String(length));
    response.writeHead(status, fields);
    // All ASCII: Latin-1 is the same bytes, copied as they are.
    response.end(body, length === body.length ? 'latin1' : 'utf8');
    slowReaders.watch(request.socket);
    // Probes of a process that drains get 503, and nobody is the worse for it.
    const route = request.url?.startsWith('/health/') === true ? 'health' : 'api';
    let counter = counters[route].get(status);
    if (counter === undefined) {
      counter = metrics.httpRequests.labels(String(status), route);
      counters[route].set(status, counter);
    }
    counter.inc();
  }

  function stopLooking(): void {
    admission.stop();
    holdBack.stop();
    slowReaders.stop();
  }

  /**
   * Takes no new connection; resolves when none is left. The `close` of an HTTP server would also cut off those who are
   * between two requests, or have not taken all of their answer.
   */
  function stopListening(): Promise<void> {
    return new Promise((resolve) => void SocketServer.prototype.close.call(server, () => resolve()));
  }

  /** Answers that are made, and that their clients have not taken all of. */
  function untaken(): number {
    let count = 0;
    for (const socket of sockets) if (socket.writableLength > 0) count += 1;
    return count;
  }

  /** For Node a connection is idle once its answer was handed over, however much of it the client has yet to take. */
  async function closeIdleOnceTaken(): Promise<void> {
    while (untaken() > 0) await delay(FLUSH_POLL_MS);
    closeIdleConnections();
  }

  /** Those that no request is being answered on. */
  function closeIdleConnections(): void {
    server.closeIdleConnections();
    // Connected, and never sent a byte: Node counts these as neither idle nor active.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  }

  return {
    listen: (address) => listen(server, address),
    async handOver(idleMs, deadlineMs) {
      isDraining = true;
      const closed = stopListening();
      handedOver = closed;
      const idle = setTimeout(() => void closeIdleOnceTaken(), idleMs);
      const deadline = setTimeout(() => server.closeAllConnections(), deadlineMs);
      await closed;
      clearTimeout(idle);
      clearTimeout(deadline);
      stopLooking();
    },
    async drain(deadlineMs) {
      const startedAt = performance.now();
      isDraining = true;
      readiness.beginDraining();
      if (!server.listening && handedOver === undefined) {
        stopLooking();
        return;
      }
      if (handedOver === undefined && options.drainGraceMs !== undefined)
        await delay(Math.min(options.drainGraceMs, deadlineMs));
      const closed = handedOver ?? stopListening();
      const rest = Math.max(0, deadlineMs - (performance.now() - startedAt));
      let cutOff = 0;
      const timer = setTimeout(() => {
        cutOff = admission.inFlight() + untaken();
        server.closeAllConnections();
      }, rest);
      await closeIdleOnceTaken();
      await closed;
      clearTimeout(timer);
      stopLooking();
      if (cutOff > 0) throw new Error(`${cutOff} requests were not answered within ${deadlineMs} ms`);
    },
  };
}

function methodNotAllowed(allow: string): HttpAnswer {
  return errorAnswer(new HttpError(405, 'METHOD_NOT_ALLOWED', `Allowed here: ${allow}.`, { headers: { allow } }));
}
