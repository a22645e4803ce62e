import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { waitFor } from '../servers/wait-for.ts';
import { startProxy, type Proxy } from './start-proxy.ts';
import { startUpstream, type Upstream } from './start-upstream.ts';

const PREFLIGHT = { 'apollo-require-preflight': 'true' };
const PUBLIC = { 'cache-control': 'public, max-age=60', vary: 'Accept' };

let nginx: Proxy;
let upstream: Upstream;
let asked = 0;
beforeAll(async () => {
  upstream = await startUpstream();
  nginx = await startProxy([upstream.url], { isExempt: true });
});
afterEach(() => {
  upstream.dies = false;
  upstream.release();
  upstream.answer = {};
  upstream.received.length = 0;
});
afterAll(async () => {
  await nginx.stop();
  await upstream.close();
});

/** A path that no other test has asked for. */
function newPath(): string {
  asked += 1;
  const extensions = JSON.stringify({ persistedQuery: { version: 1, sha256Hash: String(asked).padStart(64, '0') } });
  return `/graphql?${new URLSearchParams({ extensions }).toString()}`;
}

async function get(path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${nginx.url}${path}`, { headers: { ...PREFLIGHT, ...headers } });
  return { status: response.status, cache: response.headers.get('x-cache-status'), body: await response.text() };
}

it.each(['GET', 'HEAD'])(
  'a public answer to a persisted query is given again, by %s too, without asking the API',
  async (method) => {
    const path = newPath();
    upstream.answer = { headers: PUBLIC, body: '{"data":1}' };
    expect(await get(path)).toEqual({ status: 200, cache: 'MISS', body: '{"data":1}' });
    upstream.answer = { headers: PUBLIC, body: '{"data":2}' };
    const response = await fetch(`${nginx.url}${path}`, { method, headers: PREFLIGHT });
    expect(response.headers.get('x-cache-status')).toBe('HIT');
    expect(await response.text()).toBe(method === 'GET' ? '{"data":1}' : '');
    expect(upstream.received).toHaveLength(1);
  },
);

it('a document id is one too', async () => {
  upstream.answer = { headers: PUBLIC };
  expect((await get('/graphql?documentId=abc')).cache).toBe('MISS');
  expect((await get('/graphql?documentId=abc')).cache).toBe('HIT');
});

it('another type or other variables are another answer', async () => {
  const path = newPath();
  upstream.answer = { headers: PUBLIC };
  expect((await get(path)).cache).toBe('MISS');
  expect((await get(path, { accept: 'application/graphql-response+json' })).cache).toBe('MISS');
  expect((await get(`${path}&variables={"first":3}`)).cache).toBe('MISS');
  expect((await get(path)).cache).toBe('HIT');
});

it.each(['authorization', 'x-device-id', 'x-user-id', 'x-user-role', 'cookie'])(
  'with %s neither is the kept answer given nor the own one kept',
  async (name) => {
    const path = newPath();
    upstream.answer = { headers: PUBLIC, body: '"everybody"' };
    await get(path);
    upstream.answer = { headers: PUBLIC, body: '"mine"' };
    expect(await get(path, { [name]: 'a' })).toMatchObject({ cache: 'BYPASS', body: '"mine"' });
    expect(await get(path)).toMatchObject({ cache: 'HIT', body: '"everybody"' });
    const other = newPath();
    expect((await get(other, { [name]: 'a' })).cache).toBe('BYPASS');
    expect((await get(other)).cache).toBe('MISS');
  },
);

it.each([
  ['private', 200, 'private, max-age=60'],
  ['silent about who may keep it', 200, 'max-age=60'],
  ['no-store', 200, 'no-store'],
  ['an error, whatever it says', 503, 'public, max-age=60'],
])('an answer that is %s is not kept', async (_, status, policy) => {
  const path = newPath();
  upstream.answer = { status, headers: { 'cache-control': policy } };
  for (let turn = 1; turn <= 2; turn += 1) {
    expect(await get(path)).toMatchObject({ status, cache: 'MISS' });
    expect(upstream.received).toHaveLength(turn);
  }
});

it.each([
  ['a text', '/graphql?query={a}'],
  ['a text with its hash', '/graphql?query={b}&extensions={"persistedQuery":{}}'],
  ['no query', '/graphql?variables={}'],
])('%s is asked for each time', async (_, path) => {
  upstream.answer = { headers: PUBLIC };
  expect((await get(path)).cache).toBe('BYPASS');
  expect((await get(path)).cache).toBe('BYPASS');
});

it('a GET that could be forged is left to the API to refuse', async () => {
  const path = newPath();
  upstream.answer = { headers: PUBLIC };
  await get(path);
  upstream.answer = { status: 400 };
  expect((await fetch(`${nginx.url}${path}`)).status).toBe(400);
});

it('a client that has just written gets past it, and what it gets is there for the others', async () => {
  const path = newPath();
  upstream.answer = { headers: PUBLIC, body: '1' };
  await get(path);
  upstream.answer = { headers: PUBLIC, body: '2' };
  expect(await get(path, { 'cache-control': 'no-cache' })).toMatchObject({ cache: 'BYPASS', body: '2' });
  expect(await get(path)).toMatchObject({ cache: 'HIT', body: '2' });
});

it('of many who ask at once one asks the API', async () => {
  const path = newPath();
  upstream.answer = { headers: PUBLIC };
  upstream.holds = true;
  const answers = Promise.all(Array.from({ length: 20 }, () => get(path)));
  await waitFor('the API to be asked', () => upstream.received.length > 0);
  upstream.release();
  expect((await answers).map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
  expect(upstream.received).toHaveLength(1);
});

/** As the API says it: in the second before this one. */
const isOver = () => ({ ...PUBLIC, 'x-accel-expires': `@${Math.floor(Date.now() / 1_000) - 1}` });

it('by the second the API names it is over, and asked for anew', async () => {
  const path = newPath();
  upstream.answer = { headers: isOver(), body: '1' };
  await get(path);
  upstream.answer = { headers: isOver(), body: '2' };
  expect(await get(path)).toMatchObject({ cache: 'EXPIRED', body: '2' });
});

it('while one asks anew, the others get what there is', async () => {
  const path = newPath();
  upstream.answer = { headers: isOver(), body: '1' };
  await get(path);
  upstream.holds = true;
  upstream.answer = { headers: isOver(), body: '2' };
  const first = get(path);
  await waitFor('the API to be asked', () => upstream.received.length === 2);
  expect(await get(path)).toMatchObject({ cache: 'UPDATING', body: '1' });
  upstream.release();
  expect(await first).toMatchObject({ cache: 'EXPIRED', body: '2' });
});

it('while the API fails or is away, everybody gets the last good answer', async () => {
  const path = newPath();
  upstream.answer = { headers: isOver(), body: '"good"' };
  await get(path);
  upstream.answer = { status: 503 };
  expect(await get(path)).toEqual({ status: 200, cache: 'STALE', body: '"good"' });
  upstream.dies = true;
  expect(await get(path)).toEqual({ status: 200, cache: 'STALE', body: '"good"' });
  // Who says who they are gets no answer that is not theirs.
  expect((await get(path, { authorization: 'Bearer a' })).status).toBe(503);
});
