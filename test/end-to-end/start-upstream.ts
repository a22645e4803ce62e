import { createServer, type Server, type ServerResponse } from 'node:http';
import { listen } from '../../src/runtime/listen.ts';

export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** Stands for an API process; what it does with a request is each test's own. */
export interface Upstream {
  readonly url: string;
  readonly received: Received[];
  /** How many were opened to it so far. */
  readonly connections: number;
  /** Takes the whole request and dies before the answer. */
  dies: boolean;
  /** Takes requests and answers none of them until `release`. */
  holds: boolean;
  release(): void;
  /** What is not named is as always: 200, JSON, `{"data":{}}`. */
  answer: { status?: number; headers?: Record<string, string>; body?: string };
  close(): Promise<void>;
}

export async function startUpstream(): Promise<Upstream> {
  const received: Received[] = [];
  const held: ServerResponse[] = [];
  let connections = 0;
  const server: Server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      received.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
      if (upstream.dies) request.socket.destroy();
      else if (upstream.holds) held.push(response);
      else answer(response);
    });
  });
  server.on('connection', () => (connections += 1));
  function answer(response: ServerResponse): void {
    const { status = 200, headers = {}, body = '{"data":{}}' } = upstream.answer;
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
  }
  const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
  const upstream: Upstream = {
    url: `http://127.0.0.1:${port}`,
    received,
    get connections() {
      return connections;
    },
    dies: false,
    holds: false,
    answer: {},
    release() {
      upstream.holds = false;
      for (const response of held.splice(0)) answer(response);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return upstream;
}
