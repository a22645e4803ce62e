import { createServer, type ServerResponse } from 'node:http';
import { listen, type Listening } from './listen.ts';
import type { Logger } from './logger.ts';
import type { Readiness } from './readiness.ts';

export interface MetricsServer {
  /** Rejects with the system's error, such as EADDRINUSE. */
  listen(address: { readonly port: number; readonly host: string }): Promise<Listening>;
  close(): Promise<void>;
}

/** `/metrics`, `/health/live` and `/health/ready` on a port of their own. The last to close: it tells of the draining. */
export function createMetricsServer(options: {
  readonly registry: { readonly contentType: string; metrics(): Promise<string> };
  readonly readiness: Readiness;
  /** Whether the process does its work, or only its parent still runs. */
  readonly isLive?: () => boolean;
  readonly logger: Logger;
}): MetricsServer {
  const { registry, readiness, isLive = () => true, logger } = options;

  async function answer(path: string, response: ServerResponse): Promise<void> {
    if (path === '/metrics') send(response, 200, registry.contentType, await registry.metrics());
    else if (path === '/health/live') {
      const live = isLive();
      sendJson(response, live ? 200 : 503, { live });
    } else if (path === '/health/ready') {
      const report = await readiness.report();
      sendJson(response, report.ready ? 200 : 503, report);
    } else sendJson(response, 404, errorBody('NOT_FOUND', 'Here are /metrics, /health/live and /health/ready.'));
  }

  const server = createServer({ requestTimeout: 10_000, connectionsCheckingInterval: 1_000 }, (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      sendJson(response, 405, errorBody('METHOD_NOT_ALLOWED', 'Only GET and HEAD are allowed.'));
      return;
    }
    const [path = '/'] = (request.url ?? '/').split('?', 1);
    answer(path, response).catch((error: unknown) => {
      logger.error({ error }, 'metrics or readiness failed');
      if (!response.headersSent) sendJson(response, 500, errorBody('INTERNAL_SERVER_ERROR', 'Internal server error'));
    });
  });

  return {
    listen: (address) => listen(server, address),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function errorBody(code: string, message: string) {
  return { errors: [{ message, extensions: { code } }] };
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, 'application/json; charset=utf-8', JSON.stringify(value));
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.statusCode = status;
  response.setHeader('content-type', type);
  response.setHeader('cache-control', 'no-store');
  response.end(body);
}
