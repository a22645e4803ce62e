import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeOf, sendRaw, startTransport } from '../testing/transport.ts';

const JSON_HEADERS = { 'content-type': 'application/json' };
const PATIENCE = { timeout: 15_000 };
const HELLO = JSON.stringify({ query: '{ hello }' });
const HEAD = 'POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';

let api: Awaited<ReturnType<typeof startTransport>>;
beforeAll(async () => {
  api = await startTransport();
});
afterAll(() => api[Symbol.asyncDispose]());

const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = JSON_HEADERS) =>
  fetch(`${api.url}/graphql`, { method: 'POST', headers, body });

describe('a request over HTTP', () => {
  it('is answered as JSON with no more headers than it needs', async () => {
    const response = await post(HELLO);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('cache-control')).toBe('max-age=60, public');
    expect(await response.json()).toEqual({ data: { hello: 'world' } });
  });

  it('is answered as application/graphql-response+json when the client prefers it', async () => {
    const response = await post(HELLO, {
      ...JSON_HEADERS,
      accept: 'application/graphql-response+json, application/json;q=0.9',
    });
    expect(response.headers.get('content-type')).toBe('application/graphql-response+json; charset=utf-8');
  });

  it.each([
    ['gzip', gzipSync(HELLO)],
    ['deflate', deflateSync(HELLO)],
    ['br', brotliCompressSync(HELLO)],
    ['identity', Buffer.from(HELLO)],
  ])('may have a body in %s', async (encoding, body) => {
    const response = await post(new Uint8Array(body), { ...JSON_HEADERS, 'content-encoding': encoding });
    expect(await response.json()).toEqual({ data: { hello: 'world' } });
  });

  it('passes variables, operation name and Idempotency-Key on', async () => {
    const query = 'query A { key } query B($text: String!) { echo(text: $text) key }';
    const body = JSON.stringify({ query, operationName: 'B', variables: { text: 'ž' } });
    const response = await post(body, { ...JSON_HEADERS, 'idempotency-key': 'abc' });
    expect(await response.json()).toEqual({ data: { echo: 'ž', key: 'abc' } });
  });

  it.each([
    ['malformed JSON', '{"query":', 400, 'BAD_REQUEST'],
    ['null', 'null', 400, 'BAD_REQUEST'],
    ['a string', '"{ hello }"', 400, 'BAD_REQUEST'],
    ['nothing', '', 400, 'BAD_REQUEST'],
    ['an empty object', '{}', 400, 'BAD_REQUEST'],
    ['a batch', `[${HELLO}]`, 400, 'BAD_REQUEST'],
    ['an empty batch', '[]', 400, 'BAD_REQUEST'],
    ['a query that is no text', '{"query":1}', 400, 'BAD_REQUEST'],
    ['variables that are a list', '{"query":"{hello}","variables":[]}', 400, 'BAD_REQUEST'],
    ['variables that are text', '{"query":"{hello}","variables":"{}"}', 400, 'BAD_REQUEST'],
    ['extensions that are text', '{"query":"{hello}","extensions":"x"}', 400, 'BAD_REQUEST'],
    ['an operation name that is a number', '{"query":"{hello}","operationName":1}', 400, 'BAD_REQUEST'],
    [
      'a body over the limit',
      JSON.stringify({ query: '{ hello }', pad: 'x'.repeat(1_048_576) }),
      413,
      'PAYLOAD_TOO_LARGE',
    ],
    ['a syntax error', '{"query":"{ hello"}', 400, 'GRAPHQL_PARSE_FAILED'],
    ['an unknown field', '{"query":"{ nope }"}', 400, 'GRAPHQL_VALIDATION_FAILED'],
    ['a subscription', '{"query":"subscription { hello }"}', 400, 'GRAPHQL_VALIDATION_FAILED'],
    ['an unknown operation', '{"query":"query A { hello }","operationName":"B"}', 400, 'OPERATION_RESOLUTION_FAILURE'],
    [
      'two operations and no name',
      '{"query":"query A { hello } query B { hello }"}',
      400,
      'OPERATION_RESOLUTION_FAILURE',
    ],
    ['a missing variable', '{"query":"query($t: String!) { echo(text: $t) }"}', 400, 'BAD_USER_INPUT'],
  ])('that is %s gets its code', async (_, body, status, code) => {
    const response = await post(body);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toContain('application/json');
    expect(await codeOf(response)).toBe(code);
  });

  it.each([
    ['latin1', { 'content-type': 'application/json; charset=latin1' }, HELLO, 415, 'UNSUPPORTED_CHARSET'],
    ['utf-7', { 'content-type': 'application/json; charset=utf-7' }, HELLO, 415, 'UNSUPPORTED_CHARSET'],
    [
      'an unknown encoding',
      { ...JSON_HEADERS, 'content-encoding': 'zstd' },
      HELLO,
      415,
      'UNSUPPORTED_CONTENT_ENCODING',
    ],
    ['broken gzip', { ...JSON_HEADERS, 'content-encoding': 'gzip' }, HELLO, 400, 'BAD_REQUEST'],
    ['text/plain', { 'content-type': 'text/plain' }, HELLO, 400, 'CSRF_PREVENTED'],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, 'query={hello}', 400, 'CSRF_PREVENTED'],
    ['multipart', { 'content-type': 'multipart/form-data; boundary=x' }, '--x--', 400, 'CSRF_PREVENTED'],
    ['XML', { 'content-type': 'application/xml' }, '<a/>', 415, 'UNSUPPORTED_MEDIA_TYPE'],
    [
      'text/plain with a preflight header',
      { 'content-type': 'text/plain', 'apollo-require-preflight': '1' },
      HELLO,
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['a type nobody makes', { ...JSON_HEADERS, accept: 'image/png' }, HELLO, 406, 'NOT_ACCEPTABLE'],
    ['too long a device id', { ...JSON_HEADERS, 'x-device-id': 'x'.repeat(129) }, HELLO, 400, 'BAD_REQUEST'],
    ['a header that is not UTF-8', { ...JSON_HEADERS, 'x-user-id': 'a\u00ff' }, HELLO, 400, 'BAD_REQUEST'],
  ])('with %s gets its code', async (_, headers, body, status, code) => {
    const response = await post(body, headers);
    expect(response.status).toBe(status);
    expect(await codeOf(response)).toBe(code);
  });

  it('that inflates beyond the limit is refused without being inflated whole', async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000), { level: 9 });
    const before = process.memoryUsage().arrayBuffers;
    const response = await post(new Uint8Array(bomb), { ...JSON_HEADERS, 'content-encoding': 'gzip' });
    expect(response.status).toBe(413);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
  });

  it('that is truncated gzip, or invalid UTF-8, is the fault of the client', async () => {
    const cut = await post(new Uint8Array(gzipSync(HELLO).subarray(0, 20)), {
      ...JSON_HEADERS,
      'content-encoding': 'gzip',
    });
    expect(cut.status).toBe(400);
    const broken = await post(
      new Uint8Array([...Buffer.from('{"query":"{ hello } #'), 0xff, 0xfe, ...Buffer.from('"}')]),
    );
    expect(broken.status).toBe(400);
  });
});

describe('a GET', () => {
  const get = (search: string, headers: Record<string, string> = { 'apollo-require-preflight': 'true' }) =>
    fetch(`${api.url}/graphql?${search}`, { headers });

  it('runs a query with variables', async () => {
    const search = new URLSearchParams({ query: 'query($t: String!) { echo(text: $t) }', variables: '{"t":"a b"}' });
    expect(await (await get(search.toString())).json()).toEqual({ data: { echo: 'a b' } });
  });

  it.each([
    ['without a preflight header', 'query={hello}', {}, 400, 'CSRF_PREVENTED'],
    ['of a mutation', 'query=mutation{add(by:1)}', { 'x-apollo-operation-name': 'x' }, 405, 'METHOD_NOT_ALLOWED'],
    ['without a query', '', { 'x-apollo-operation-name': 'x' }, 400, 'BAD_REQUEST'],
    ['with broken variables', 'query={hello}&variables={', { 'x-apollo-operation-name': 'x' }, 400, 'BAD_REQUEST'],
    ['with two queries', 'query={hello}&query={who}', { 'x-apollo-operation-name': 'x' }, 400, 'BAD_REQUEST'],
  ])('%s is refused', async (_, search, headers, status, code) => {
    const response = await get(search, headers);
    expect(response.status).toBe(status);
    if (status === 405) expect(response.headers.get('allow')).toBe('POST');
    expect(await codeOf(response)).toBe(code);
    expect(api.total()).toBe(0);
  });

  it('of a public answer has an ETag, and is answered with 304 when the client has it', async () => {
    const first = await get('query={hello}');
    const etag = first.headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[\w-]{27}"$/);
    expect(first.headers.get('vary')).toBe('Accept');
    const second = await get('query={hello}', {
      'apollo-require-preflight': 'true',
      'if-none-match': `"x", W/${etag}`,
    });
    expect(second.status).toBe(304);
    expect(second.headers.get('etag')).toBe(etag);
    expect(await second.text()).toBe('');
  });

  it('of an answer that nobody may keep says so', async () => {
    const who = await get('query={who}');
    expect(who.headers.get('cache-control')).toBe('no-store');
    expect(who.headers.get('etag')).toBeNull();
  });

  it('of an unknown persisted query is for no shared cache, and the same for everybody', async () => {
    const unknown = await get(`extensions={"persistedQuery":{"version":1,"sha256Hash":"${'0'.repeat(64)}"}}`);
    expect(unknown.headers.get('cache-control')).toBe('private, no-cache, must-revalidate');
    expect(unknown.headers.get('vary')).toBe('Accept');
  });

  it('by HEAD has the headers alone', async () => {
    const response = await fetch(`${api.url}/graphql?query={hello}`, {
      method: 'HEAD',
      headers: { 'apollo-require-preflight': 'true' },
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-length')).toBe('26');
    expect(await response.text()).toBe('');
  });

  it('by a browser gets Apollo Sandbox, but not in production', async () => {
    const accept = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
    const page = await fetch(`${api.url}/graphql`, { headers: { accept } });
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(await page.text()).toContain('embeddable-sandbox');
    await using production = await startTransport({ production: true });
    const refused = await fetch(`${production.url}/graphql`, { headers: { accept } });
    expect(refused.status).toBe(400);
  });
});

describe('methods, paths and origins', () => {
  it.each(['PUT', 'DELETE', 'PATCH'])('%s is not allowed', async (method) => {
    const response = await fetch(`${api.url}/graphql`, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, HEAD, POST, OPTIONS');
    expect(await codeOf(response)).toBe('METHOD_NOT_ALLOWED');
  });

  it('an unknown path is not found', async () => {
    const response = await fetch(`${api.url}/nope`);
    expect(response.status).toBe(404);
    expect(await codeOf(response)).toBe('NOT_FOUND');
  });

  it('a foreign origin gets no leave', async () => {
    const preflight = await fetch(`${api.url}/graphql`, {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('a listed origin may call, and answers vary by origin', async () => {
    await using open = await startTransport({ corsOrigins: ['https://app.example'] });
    const headers = { origin: 'https://app.example' };
    const preflight = await fetch(`${open.url}/graphql`, { method: 'OPTIONS', headers });
    expect(preflight.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(preflight.headers.get('access-control-allow-headers')).toContain('idempotency-key');
    const answer = await open.post({ query: '{ hello }' }, headers);
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(answer.headers.get('vary')).toContain('Origin');
    const other = await open.post({ query: '{ hello }' }, { origin: 'https://evil.example' });
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('where every origin may call, all get the same answer: it may be cached', async () => {
    await using open = await startTransport({ corsOrigins: ['*'] });
    for (const headers of [{}, { origin: 'https://app.example' }]) {
      const answer = await open.post({ query: '{ hello }' }, headers);
      expect(answer.headers.get('access-control-allow-origin')).toBe('*');
      expect(answer.headers.get('vary') ?? '').not.toContain('Origin');
    }
  });
});

describe('a connection that misbehaves', () => {
  let impatient: Awaited<ReturnType<typeof startTransport>>;
  beforeAll(async () => {
    impatient = await startTransport({ requestTimeoutMs: 400 });
  });
  afterAll(() => impatient[Symbol.asyncDispose]());

  it.each([
    ['no HTTP', 'hello\r\n\r\n', 400, 'BAD_REQUEST'],
    [
      'both length headers',
      `${HEAD}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
      'BAD_REQUEST',
    ],
    ['two lengths', `${HEAD}content-length: 5\r\ncontent-length: 6\r\n\r\nhello`, 400, 'BAD_REQUEST'],
    ['headers without end', `${HEAD}x-pad: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'HEADERS_TOO_LARGE'],
    ['slow headers', 'POST /graphql HTTP/1.1\r\nhost: x\r\n', 408, 'REQUEST_TIMEOUT'],
    ['a slow body', `${HEAD}content-length: 100\r\n\r\n{"query":`, 408, 'REQUEST_TIMEOUT'],
    ['no host', 'GET /graphql HTTP/1.1\r\nconnection: close\r\n\r\n', 400, 'BAD_REQUEST'],
    [
      'an impossible expectation',
      `${HEAD}expect: magic\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
      417,
      'EXPECTATION_FAILED',
    ],
  ])('by sending %s gets a JSON answer', async (_, bytes, status, code) => {
    const answer = await sendRaw(impatient.port, bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain('content-type: application/json');
    expect(answer).toContain(`"code":"${code}"`);
  });

  it('by announcing too large a body is answered at once, and nothing is written after that answer', async () => {
    const answer = await sendRaw(impatient.port, `${HEAD}content-length: 99999999\r\n\r\n{`);
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer.match(/HTTP\/1.1/g)).toHaveLength(1);
  });

  it('by leaving half-way harms nobody else', async () => {
    await sendRaw(impatient.port, `${HEAD}content-length: 100\r\nexpect: 100-continue\r\n\r\n{"query"`, '100 Continue');
    expect((await post(HELLO)).status).toBe(200);
  });
});

describe('a slow client', () => {
  it('that sends its body slowly takes no place: others are answered, and it gets 408', async () => {
    await using server = await startTransport({ maxRequestsInFlight: 1, requestTimeoutMs: 2_000 });
    const slow = Array.from({ length: 5 }, () => sendRaw(server.port, `${HEAD}content-length: 100\r\n\r\n{"query":`));
    for (let times = 0; times < 5; times += 1) expect((await server.post({ query: '{ hello }' })).status).toBe(200);
    for (const answer of await Promise.all(slow)) expect(answer).toMatch(/^HTTP\/1.1 408 /);
  });

  it('that sends much, with others, is not waited for beyond the room there is', async () => {
    await using api = await startTransport({ maxIncomingBytes: 30_000 });
    const slow = connect(api.port, '127.0.0.1');
    slow.write(`${HEAD}content-length: 100000\r\n\r\n{"query":"${' '.repeat(29_950)}`);
    const ask = (spaces: number): Promise<Response> => api.post({ query: `{ hello }${' '.repeat(spaces)}` });
    await expect.poll(async () => (await ask(20_000)).status, PATIENCE).toBe(503);
    expect(await codeOf(await ask(20_000))).toBe('SERVICE_BUSY');
    // Those that hold the room are not those that ask now.
    expect((await ask(200)).status).toBe(200);
    slow.destroy();
    await expect.poll(async () => (await ask(20_000)).status, PATIENCE).toBe(200);
  });

  it('that does not decompress is thrown away, and the next one on its connection is answered', async () => {
    const socket = connect(api.port, '127.0.0.1');
    let received = '';
    socket.on('data', (chunk) => (received += String(chunk)));
    const head = HEAD.replace('\r\n', '\r\ncontent-encoding: gzip\r\n');
    socket.write(`${head}content-length: 200200\r\n\r\n${'x'.repeat(200)}`);
    await expect.poll(() => received, PATIENCE).toContain('HTTP/1.1 400 ');
    const next = JSON.stringify({ query: '{ hello }' });
    socket.write(`${'x'.repeat(200_000)}${HEAD}content-length: ${next.length}\r\n\r\n${next}`);
    await expect.poll(() => received, PATIENCE).toContain('HTTP/1.1 200 ');
    socket.destroy();
  });

  it('that sends nothing at all is cut off', async () => {
    await using server = await startTransport({ requestTimeoutMs: 400 });
    expect(await sendRaw(server.port, '')).toMatch(/^(HTTP\/1.1 408 |$)/);
  });

  it('that does not take its answer is cut off, and one that takes it late has all of it', async () => {
    await using server = await startTransport({ readerTimeoutMs: 400 });
    const stuck = await askForMuch(server.port);
    const cut = (): Promise<string> => server.metrics.registry.metrics();
    await expect.poll(cut, PATIENCE).toContain('groundswell_limited_total{limit="reader"} 1');

    // With the patience of production: on a busy machine 400 ms would be too short for it.
    const late = await askForMuch(api.port);
    let received = 0;
    late.on('data', (chunk) => (received += chunk.length));
    late.resume();
    await expect.poll(() => received, PATIENCE).toBeGreaterThan(9_000_000);
    late.destroy();
    stuck.destroy();
  });
});

it('counts its faults from zero, since a rate sees a counter grow only from a value that was there', async () => {
  await using api = await startTransport();
  const metrics = await api.metrics.registry.metrics();
  for (const status of [500, 503]) expect(metrics).toContain(`requests_total{status="${status}",route="api"} 0`);
});

/** Asks for an answer of 9 MB, and takes nothing of it. */
async function askForMuch(port: number): Promise<Socket> {
  const fields = 'abcdefghij'
    .split('')
    .map((name) => `${name}: echo(text: $t)`)
    .join(' ');
  const body = JSON.stringify({ query: `query ($t: String!) { ${fields} }`, variables: { t: 'x'.repeat(900_000) } });
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.pause();
  socket.write(`${HEAD}content-length: ${body.length}\r\n\r\n${body}`);
  return socket;
}

describe('readiness, overload and draining', () => {
  it('tells which part is not ready', async () => {
    const checks = [
      { name: 'database', required: true, check: async () => 'connection refused' },
      { name: 'cache', required: false, check: async () => 'slow' },
    ];
    await using sick = await startTransport({ checks });
    const response = await fetch(`${sick.url}/health/ready`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      ready: false,
      parts: [{ name: 'database', problem: 'connection refused' }, {}],
    });
    expect((await fetch(`${sick.url}/health/live`)).status).toBe(200);
    expect((await fetch(`${sick.url}/health/live`, { method: 'POST' })).status).toBe(405);
  });

  it('is ready when only an optional part is away', async () => {
    await using fair = await startTransport({
      checks: [{ name: 'cache', required: false, check: async () => 'slow' }],
    });
    expect((await fetch(`${fair.url}/health/ready`)).status).toBe(200);
  });

  it('refuses what is over the limit of requests in flight, and says when to retry', async () => {
    await using busy = await startTransport({ maxRequestsInFlight: 1 });
    const first = busy.post({ query: '{ slow }' });
    await expect.poll(() => busy.waiting.length, PATIENCE).toBe(1);
    const second = await busy.post({ query: '{ hello }' });
    expect(second.status).toBe(503);
    expect(second.headers.get('retry-after')).toBe('1');
    expect(await codeOf(second)).toBe('SERVICE_BUSY');
    busy.release();
    expect((await first).status).toBe(200);
    expect((await busy.post({ query: '{ hello }' })).status).toBe(200);
  });

  it('refuses without reading, and leaves those who ask again at once unread for a moment while it refuses many', async () => {
    await using busy = await startTransport({ maxRequestsInFlight: 1 });
    const first = busy.post({ query: '{ slow }' });
    await expect.poll(() => busy.waiting.length, PATIENCE).toBe(1);
    const ask = 'POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}';
    const socket = connect(busy.port, '127.0.0.1');
    let text = '';
    let refused = 0;
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const answers = text.split('HTTP/1.1 503').length - 1;
      // A client that never waits.
      for (; refused < answers; refused += 1) socket.write(ask);
    });
    const startedAt = performance.now();
    socket.write(ask);
    await expect.poll(() => refused, PATIENCE).toBeGreaterThan(100);
    // Some twenty in two windows of 100 ms, instead of as many as a core can refuse.
    expect(performance.now() - startedAt).toBeGreaterThan(400);
    expect(text).toContain('"code":"SERVICE_BUSY"');
    expect(text).toContain('retry-after: 1');
    expect((await fetch(`${busy.url}/health/live`)).status).toBe(200);
    busy.release();
    expect((await first).status).toBe(200);
    await expect.poll(async () => (await busy.post({ query: '{ hello }' })).status, PATIENCE).toBe(200);
    socket.destroy();
  });

  it('is not ready at once when it drains, still takes connections for the grace, and refuses them after it', async () => {
    await using leaving = await startTransport({ drainGraceMs: 500 });
    const drained = leaving.server.drain(5_000);
    // Each a new connection, and resolved by its close.
    const ready = await sendRaw(leaving.port, 'GET /health/ready HTTP/1.1\r\nhost: x\r\n\r\n');
    expect(ready).toMatch(/^HTTP\/1.1 503 /);
    expect(ready).toMatch(/^connection: close\r$/im);
    const head = 'POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
    const answer = await sendRaw(leaving.port, `${head}content-length: ${HELLO.length}\r\n\r\n${HELLO}`);
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect(answer).toMatch(/^connection: close\r$/im);
    await drained;
    await expect(sendRaw(leaving.port, head)).rejects.toThrow('ECONNREFUSED');
  });

  it('answers what is in flight before it is gone', async () => {
    await using api = await startTransport();
    const last = api.post({ query: '{ slow }' });
    await expect.poll(() => api.waiting.length, PATIENCE).toBe(1);
    const drained = api.server.drain(5_000);
    await expect
      .poll(
        () =>
          fetch(`${api.url}/health/live`).then(
            () => 'taken',
            () => 'refused',
          ),
        PATIENCE,
      )
      .toBe('refused');
    api.release();
    const response = await last;
    expect(response.headers.get('connection')).toBe('close');
    expect(await response.json()).toEqual({ data: { slow: 'done' } });
    await drained;
  });

  it('drains what it has when it is told to while it hands the port over', async () => {
    await using api = await startTransport();
    const last = api.post({ query: '{ slow }' });
    await expect.poll(() => api.waiting.length, PATIENCE).toBe(1);
    const handedOver = api.server.handOver(5_000, 10_000);
    let isDrained = false;
    const drained = api.server.drain(5_000).then(() => (isDrained = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isDrained).toBe(false);
    api.release();
    expect(await (await last).json()).toEqual({ data: { slow: 'done' } });
    await Promise.all([drained, handedOver]);
  });

  it('cuts off what is still at work at the deadline', async () => {
    await using api = await startTransport();
    const outcome = api.post({ query: '{ slow }' }).then(
      () => 'answered',
      () => 'cut off',
    );
    await expect.poll(() => api.waiting.length, PATIENCE).toBe(1);
    await expect(api.server.drain(50)).rejects.toThrow('1 requests were not answered');
    expect(await outcome).toBe('cut off');
  });

  it('waits for a client that has not taken all of its answer', async () => {
    await using api = await startTransport();
    const socket = await askForMuch(api.port);
    let received = 0;
    socket.on('data', (chunk) => (received += chunk.length));
    socket.pause();
    await expect
      .poll(() => api.metrics.registry.metrics(), PATIENCE)
      .toMatch(/requests_total\{status="200",route="api"\} 1/);
    const drained = api.server.drain(20_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.resume();
    await drained;
    await expect.poll(() => received, PATIENCE).toBeGreaterThan(9_000_000);
  });

  it('says so also of an answer that its client has not taken yet', async () => {
    await using api = await startTransport();
    const socket = await askForMuch(api.port);
    await expect
      .poll(() => api.metrics.registry.metrics(), PATIENCE)
      .toMatch(/requests_total\{status="200",route="api"\} 1/);
    await expect(api.server.drain(50)).rejects.toThrow('1 requests were not answered');
    socket.destroy();
  });
});
