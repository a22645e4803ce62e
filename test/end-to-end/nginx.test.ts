import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newInteractionId } from '../../src/interactions/interaction-id.ts';
import { listen } from '../../src/runtime/listen.ts';
import { waitFor } from '../servers/wait-for.ts';
import { startProxy, type Proxy } from './start-proxy.ts';

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

let nginx: Proxy;
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

/** Sends until the dying process got it: which one is asked is nginx's choice, and after a failure not that one for 2 s. */
async function untilOneDied(send: () => Promise<Response>): Promise<Response> {
  const [dying] = upstreams;
  let response: Response | undefined;
  dying.dies = true;
  await waitFor('the dying process to be asked', async () => {
    for (const { received } of upstreams) received.length = 0;
    await response?.body?.cancel();
    response = await send();
    return dying.received.length > 0;
  }).finally(() => (dying.dies = false));
  if (response === undefined) throw new Error('nothing was sent');
  return response;
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
  const [passed] = upstreams.flatMap(({ received }) => received);
  expect(passed?.headers).toMatchObject({
    'x-device-id': 'phone',
    authorization: 'Bearer a',
    host: new URL(nginx.url).host,
    'x-forwarded-for': '127.0.0.1',
  });
  for (const name of ['x-user-id', 'x-user-role']) expect(passed?.headers).not.toHaveProperty(name);
  // Node takes a request without the header for keep-alive; nginx's own default is `close`.
  expect(passed?.headers['connection']).toBeUndefined();
});

it('a body over the limit is refused in JSON, before it is sent', async () => {
  const sending = request(`${nginx.url}/graphql`, { method: 'POST', headers: { 'content-length': 3 * 1_048_576 } });
  sending.flushHeaders();
  const [answer]: IncomingMessage[] = await once(sending, 'response');
  if (answer === undefined) throw new Error('no answer');
  expect(answer.statusCode).toBe(413);
  expect(JSON.parse(await text(answer))).toMatchObject({ errors: [{ extensions: { code: 'PAYLOAD_TOO_LARGE' } }] });
  sending.destroy();
});

it('the page is served with its modules, and asked for again cheaply', async () => {
  const page = await fetch(`${nginx.url}/`);
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
  const script = await fetch(`${nginx.url}/main.js`);
  expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
  expect(script.headers.get('cache-control')).toBe('no-cache');
  const again = await fetch(`${nginx.url}/main.js`, { headers: { 'if-none-match': script.headers.get('etag') ?? '' } });
  expect(again.status).toBe(304);
});
