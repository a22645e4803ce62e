import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { newInteractionId } from '../../src/interactions/interaction-id.ts';
import { packageRoot } from '../../src/runtime/package-root.ts';
import { waitFor } from '../servers/wait-for.ts';
import { startProxy, type Proxy } from './start-proxy.ts';
import { startUpstream, type Upstream } from './start-upstream.ts';

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

const post = (headers: Record<string, string> = {}, body = '{"query":"mutation { a }"}') =>
  fetch(`${nginx.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });

/** Sends until the dying process got it: which one is asked is nginx's choice, and after its third failure not that one for 2 s. */
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

it('many requests share few connections to a process', async () => {
  const upstream = await startUpstream();
  onTestFinished(() => upstream.close());
  await using proxy = await startProxy([upstream.url], { isExempt: true });
  const write = () => fetch(`${proxy.url}/graphql`, { method: 'POST', body: '{}' });
  for (let turn = 0; turn < 30; turn += 1) await Promise.all(Array.from({ length: 10 }, write));
  expect(upstream.received).toHaveLength(300);
  expect(upstream.connections).toBeLessThan(60);
});

it('a process that failed three times gets no request for two seconds', async () => {
  const [failing, well] = [await startUpstream(), await startUpstream()];
  onTestFinished(async () => {
    await failing.close();
    await well.close();
  });
  await using proxy = await startProxy([failing.url, well.url], { isExempt: true });
  const statuses = new Set<number>();
  const askUntil = (count: number) =>
    waitFor(
      `${count} requests at the failing process`,
      async () => {
        statuses.add((await fetch(`${proxy.url}/graphql?documentId=x`)).status);
        return failing.received.length >= count;
      },
      { everyMs: 10 },
    );
  failing.dies = true;
  await askUntil(3);
  // They took turns until then: two seconds would be far more of them.
  expect(well.received.length).toBeLessThan(10);
  const outAtMs = Date.now();
  failing.dies = false;
  await askUntil(4);
  const outForMs = Date.now() - outAtMs;
  // nginx counts whole seconds, so it may be one more.
  expect(outForMs).toBeGreaterThan(1_900);
  expect(outForMs).toBeLessThan(8_000);
  expect(statuses).toEqual(new Set([200]));
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

it('with a host gone, no read fails, and no write that had not left for it', async () => {
  const gone = await startUpstream();
  const [kept] = upstreams;
  await using proxy = await startProxy([gone.url, kept.url], { isExempt: true });
  const read = () => fetch(`${proxy.url}/graphql?documentId=x`).then(({ status }) => status);
  const write = () => fetch(`${proxy.url}/graphql`, { method: 'POST', body: '{}' }).then(({ status }) => status);
  await waitFor('both to be asked', async () => {
    await read();
    return gone.received.length > 0 && kept.received.length > 0;
  });
  await gone.close();
  const statuses: number[] = [];
  for (let turn = 0; turn < 20; turn += 1) {
    statuses.push(...(await Promise.all([read(), read(), write(), read()])));
  }
  expect(new Set(statuses)).toEqual(new Set([200]));
});

it('with every host gone, each answer says when to come back', async () => {
  const gone = await startUpstream();
  await using proxy = await startProxy([gone.url]);
  await gone.close();
  for (const init of [
    {},
    { method: 'POST', body: '{}' },
    { method: 'POST', body: '{}', headers: { 'idempotency-key': newInteractionId() } },
  ]) {
    const response = await fetch(`${proxy.url}/graphql`, init);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'SERVICE_UNAVAILABLE' } }] });
  }
});

it('what the processes have no room for is refused here, at once, and says when to come back', async () => {
  const room = 128;
  const busy = await startUpstream();
  const proxy = await startProxy([busy.url], { isExempt: true });
  const ask = () => fetch(`${proxy.url}/graphql`, { method: 'POST', body: '{}' });
  try {
    busy.holds = true;
    const waiting = Array.from({ length: room }, ask);
    await waitFor(`${room} requests at the process`, () => busy.received.length === room);
    const refused = await ask();
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await refused.json()).toMatchObject({ errors: [{ extensions: { code: 'SERVICE_UNAVAILABLE' } }] });
    expect(busy.received).toHaveLength(room);
    busy.release();
    expect(new Set((await Promise.all(waiting)).map(({ status }) => status))).toEqual(new Set([200]));
    expect((await ask()).status).toBe(200);
  } finally {
    busy.release();
    await proxy.stop();
    await busy.close();
  }
});

it('the runbook finds in the log what nginx refused by itself, and not what a process did', async () => {
  const upstream = await startUpstream();
  onTestFinished(() => upstream.close());
  await using proxy = await startProxy([upstream.url]);
  const write = () => fetch(`${proxy.url}/graphql`, { method: 'POST', body: '{}' }).then(({ status }) => status);
  upstream.answer = { status: 503 };
  expect(await write()).toBe(503);
  upstream.answer = {};
  const statuses = await Promise.all(Array.from({ length: 180 }, write));
  const limited = statuses.filter((status) => status === 429).length;
  expect(limited).toBeGreaterThan(0);
  upstream.received.length = 0;
  upstream.holds = true;
  const waiting = Array.from({ length: 128 }, () => fetch(`${proxy.url}/health/ready`));
  await waitFor('no more room at the process', () => upstream.received.length === waiting.length);
  expect((await fetch(`${proxy.url}/health/ready`)).status).toBe(503);
  upstream.release();
  await Promise.all(waiting);

  const runbook = readFileSync(join(packageRoot(), 'docs/runbooks/RequestsRefused.md'), 'utf8');
  const [command = ''] = /^ +grep .*$/m.exec(runbook) ?? [];
  const lines = proxy.log().map((line) => JSON.stringify(line));
  const found = execFileSync('sh', ['-c', command], { input: `${lines.join('\n')}\n`, encoding: 'utf8' });
  expect(found.trim().split(/\s*\n\s*/)).toEqual([`${limited} "status":429`, '1 "status":503']);
});
