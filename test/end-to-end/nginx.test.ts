import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newInteractionId } from '../../src/interactions/interaction-id.ts';
import { listen } from '../../src/runtime/listen.ts';
import type { NginxServer } from '../servers/start-nginx.ts';
import { startProxy } from './start-proxy.ts';

interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** Stands for an API process; what it does with a request is each test's own. */
interface Upstream {
  readonly url: string;
  readonly received: Received[];
  dies: boolean;
  close(): Promise<void>;
}

let nginx: NginxServer;
let upstreams: [Upstream, Upstream];

beforeAll(async () => {
  upstreams = [await startUpstream(), await startUpstream()];
  nginx = await startProxy(upstreams.map(({ url }) => url));
});
afterAll(async () => {
  await nginx.stop();
  for (const upstream of upstreams) await upstream.close();
});

/** Answers with its own URL, or takes the whole request and dies before the answer. */
async function startUpstream(): Promise<Upstream> {
  const received: Received[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      received.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
      if (upstream.dies) request.socket.destroy();
      else response.setHeader('content-type', 'application/json').end('{"data":{}}');
    });
  });
  const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
  const upstream: Upstream = {
    url: `http://127.0.0.1:${port}`,
    received,
    dies: false,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return upstream;
}

const post = (headers: Record<string, string> = {}, body = '{"query":"mutation { a }"}') =>
  fetch(`${nginx.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });

/** Sends until the dying process got it: which one is asked is nginx's choice. */
async function untilOneDied(send: () => Promise<Response>): Promise<Response> {
  const [dying] = upstreams;
  dying.dies = true;
  try {
    for (let attempt = 0; attempt < 20; attempt += 1) {
      for (const { received } of upstreams) received.length = 0;
      const response = await send();
      if (dying.received.length > 0) return response;
      await response.body?.cancel();
    }
    throw new Error('the dying process was never asked');
  } finally {
    dying.dies = false;
  }
}

it('a POST is not sent again, and the answer is JSON that says when to come back', async () => {
  const response = await untilOneDied(() => post());
  expect(response.status).toBe(503);
  expect(response.headers.get('content-type')).toMatch('application/json');
  expect(response.headers.get('retry-after')).toBe('1');
  expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'SERVICE_UNAVAILABLE' } }] });
  expect(upstreams.map(({ received }) => received.length)).toEqual([1, 0]);
});

it('a POST with an Idempotency-Key is sent to the next process, whole', async () => {
  const key = newInteractionId();
  const body = JSON.stringify({ query: 'mutation { a }', padding: 'x'.repeat(100_000) });
  const response = await untilOneDied(() => post({ 'idempotency-key': key }, body));
  expect(response.status).toBe(200);
  for (const { received } of upstreams) {
    expect(received).toMatchObject([{ method: 'POST', url: '/graphql', body, headers: { 'idempotency-key': key } }]);
  }
});

it('a key that is none does not make a POST repeatable', async () => {
  const response = await untilOneDied(() => post({ 'idempotency-key': 'again' }));
  expect(response.status).toBe(503);
  expect(upstreams.map(({ received }) => received.length)).toEqual([1, 0]);
});

it('a GET is sent again', async () => {
  const response = await untilOneDied(() => fetch(`${nginx.url}/graphql?documentId=x`));
  expect(response.status).toBe(200);
  expect(upstreams.map(({ received }) => received[0]?.url)).toEqual(['/graphql?documentId=x', '/graphql?documentId=x']);
});

it('nobody outside names a user by header; devices, tokens and connections pass', async () => {
  for (const { received } of upstreams) received.length = 0;
  await post({ 'x-user-id': 'root', 'x-user-role': 'admin', 'x-device-id': 'phone', authorization: 'Bearer a' });
  const [request] = upstreams.flatMap(({ received }) => received);
  expect(request?.headers).toMatchObject({
    'x-device-id': 'phone',
    authorization: 'Bearer a',
    host: new URL(nginx.url).host,
    'x-forwarded-for': '127.0.0.1',
  });
  for (const name of ['x-user-id', 'x-user-role']) expect(request?.headers).not.toHaveProperty(name);
  // Node takes a request without the header for keep-alive; nginx's own default is `close`.
  expect(request?.headers['connection']).toBeUndefined();
});

it('a body over the limit is refused in JSON', async () => {
  const response = await post({}, 'x'.repeat(3 * 1_048_576)).catch(() => null);
  // The answer may go out before all is sent, which fetch takes for a failure.
  if (response === null) return;
  expect(response.status).toBe(413);
  expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'PAYLOAD_TOO_LARGE' } }] });
});

it('the page is served with its modules, and asked for again cheaply', async () => {
  const page = await fetch(`${nginx.url}/`);
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
  const module = await fetch(`${nginx.url}/main.js`);
  expect(module.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
  expect(module.headers.get('cache-control')).toBe('no-cache');
  const again = await fetch(`${nginx.url}/main.js`, { headers: { 'if-none-match': module.headers.get('etag') ?? '' } });
  expect(again.status).toBe(304);
});
