import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request as plainRequest, type IncomingMessage } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireProgram } from '../servers/programs.ts';
import { testDirectory } from '../servers/test-run.ts';
import { waitFor } from '../servers/wait-for.ts';
import { startProxy, type Proxy } from './start-proxy.ts';
import { startUpstream, type Upstream } from './start-upstream.ts';

/** Its own authority, for 127.0.0.1, for a day. */
function makeCertificate(): { certificateFile: string; keyFile: string } {
  const directory = testDirectory('certificate');
  const [certificateFile, keyFile] = [join(directory, 'fullchain.pem'), join(directory, 'privkey.pem')];
  const name = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-keyout', keyFile];
  execFileSync(requireProgram('openssl'), ['req', '-x509', '-days', '1', ...key, ...name, '-out', certificateFile], {
    stdio: 'ignore',
  });
  return { certificateFile, keyFile };
}

let upstream: Upstream;
beforeAll(async () => {
  upstream = await startUpstream();
});
afterAll(() => upstream.close());

describe('with TLS', () => {
  const certificate = makeCertificate();
  const ca = readFileSync(certificate.certificateFile);
  let nginx: Proxy;
  beforeAll(async () => {
    nginx = await startProxy([upstream.url], { certificate });
  });
  afterAll(() => nginx.stop());

  async function get(path: string): Promise<IncomingMessage> {
    const sending = request(`${nginx.tlsUrl}${path}`, { ca, headers: { 'apollo-require-preflight': '1' } });
    sending.end();
    const [response]: IncomingMessage[] = await once(sending, 'response');
    if (response === undefined) throw new Error('no answer');
    return response;
  }

  it('the API and the page are served over HTTPS, which browsers are told to stay with', async () => {
    for (const path of ['/graphql?documentId=x', '/']) {
      const response = await get(path);
      expect(response.statusCode).toBe(200);
      expect(response.headers['strict-transport-security']).toBe('max-age=63072000');
      expect((await text(response)).length).toBeGreaterThan(0);
    }
    expect(upstream.received.at(-1)?.headers).toMatchObject({ 'x-forwarded-proto': 'https' });
  });

  it('a body and its answer go over HTTP/2', async () => {
    const session = connectHttp2(nginx.tlsUrl, { ca });
    try {
      const stream = session.request({ ':method': 'POST', ':path': '/graphql', 'content-type': 'application/json' });
      stream.end('{"query":"{ a }"}');
      const [headers] = await once(stream, 'response');
      expect(headers[':status']).toBe(200);
      expect(await text(stream)).toBe('{"data":{}}');
      expect(session.alpnProtocol).toBe('h2');
      expect(upstream.received.at(-1)).toMatchObject({ method: 'POST', body: '{"query":"{ a }"}' });
    } finally {
      session.close();
    }
  });

  it.each([
    ['TLSv1.3', /^TLS_/],
    ['TLSv1.2', /^ECDHE-/],
  ] as const)('%s is spoken, with forward secrecy', async (version, cipher) => {
    const socket = connectTls({ ...at(nginx.tlsUrl), ca, minVersion: version, maxVersion: version });
    await once(socket, 'secureConnect');
    expect(socket.getProtocol()).toBe(version);
    expect(socket.getCipher().name).toMatch(cipher);
    socket.destroy();
  });

  it('TLS 1.1 is not', async () => {
    // Node's own floor is put down, so that the refusal is nginx's.
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
    const socket = connectTls({ ...at(nginx.tlsUrl), ca, ...old });
    const [error] = await once(socket, 'error').catch((reason: unknown) => [reason]);
    expect(String(error)).toMatch(/alert protocol version/i);
  });

  it.each(['GET', 'POST'])('plain HTTP leads there, a %s as what it is', async (method) => {
    const response = await fetch(`${nginx.url}/graphql?documentId=x`, { method, redirect: 'manual' });
    expect(response.status).toBe(308);
    expect(response.headers.get('location')).toBe('https://127.0.0.1/graphql?documentId=x');
  });
});

describe('limits', () => {
  it.each(['POST', 'PUT'])(
    'an address that sends %s too fast gets 429 as JSON, when to come back, and may still read',
    async (method) => {
      await using nginx = await startProxy([upstream.url]);
      const request = { method, body: '{}', headers: { 'content-type': 'application/json' } };
      const write = () => fetch(`${nginx.url}/graphql`, request);
      const answers = await Promise.all(Array.from({ length: 180 }, write));
      const refused = answers.filter(({ status }) => status === 429);
      const taken = answers.filter(({ status }) => status === 200);
      // The burst, and what the rate gave back meanwhile.
      expect(taken.length).toBeGreaterThan(100);
      expect(refused.length + taken.length).toBe(180);
      const [first] = refused;
      if (first === undefined) throw new Error('none was refused');
      expect(first.headers.get('retry-after')).toBe('1');
      expect(first.headers.get('content-type')).toMatch('application/json');
      expect(await first.json()).toEqual({
        errors: [{ message: 'Too many requests from this address.', extensions: { code: 'RATE_LIMITED' } }],
      });
      expect((await fetch(`${nginx.url}/graphql?documentId=x`)).status).toBe(200);
      expect((await fetch(`${nginx.url}/`)).status).toBe(200);
    },
  );

  it.each(['/graphql?documentId=x', '/health/ready'])('%s is limited too, far later', async (path) => {
    await using nginx = await startProxy([upstream.url]);
    const statuses: number[] = [];
    const read = async () => void statuses.push((await fetch(nginx.url + path)).status);
    await Promise.all(Array.from({ length: 100 }, read));
    expect(statuses.every((status) => status === 200)).toBe(true);
    while (!statuses.includes(429) && statuses.length < 5_000) await Promise.all(Array.from({ length: 100 }, read));
    expect(statuses).toContain(429);
    expect(statuses.length).toBeGreaterThan(400);
  });

  // Several times, for room beyond what one process gets.
  it('one address has so many requests at a time', async () => {
    await using nginx = await startProxy([upstream.url, upstream.url]);
    upstream.holds = true;
    const statuses: number[] = [];
    const read = async () => void statuses.push((await fetch(`${nginx.url}/health/ready`)).status);
    const sent = Array.from({ length: 220 }, read);
    // Those within the limit are held until all of the others have their answers.
    await waitFor('20 refusals', () => statuses.length === 20);
    upstream.release();
    await Promise.all(sent);
    expect(statuses).toEqual([...Array<number>(20).fill(429), ...Array<number>(200).fill(200)]);
  });

  it('the house itself is exempt', async () => {
    await using nginx = await startProxy([upstream.url, upstream.url, upstream.url], { isExempt: true });
    const answers = await Promise.all(
      Array.from({ length: 300 }, () => fetch(`${nginx.url}/graphql`, { method: 'POST', body: '{}' })),
    );
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  });
});

describe('what nginx says itself', () => {
  let nginx: Proxy;
  beforeAll(async () => {
    nginx = await startProxy([upstream.url]);
  });
  afterAll(() => nginx.stop());

  it.each([
    ['/metrics', {}, 404, 'NOT_FOUND'],
    ['/nothing.html', {}, 404, 'NOT_FOUND'],
    ['/-/read', {}, 404, 'NOT_FOUND'],
    ['/', { method: 'POST' }, 405, 'METHOD_NOT_ALLOWED'],
    [`/graphql?documentId=${'x'.repeat(20_000)}`, {}, 414, 'URI_TOO_LONG'],
    ['/graphql', { headers: { 'x-long': 'x'.repeat(20_000) } }, 431, 'HEADERS_TOO_LARGE'],
  ])('of %.20s is JSON with a code', async (path, init, status, code) => {
    const response = await fetch(`${nginx.url}${path}`, init);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toMatch('application/json');
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code } }] });
  });

  it.each([
    ['without a host', { setHost: false }],
    ['in an unknown transfer encoding', { method: 'POST', headers: { 'transfer-encoding': 'xchunked' } }],
  ])('of what is no HTTP (%s) is JSON as well', async (_, options) => {
    const sending = plainRequest(`${nginx.url}/graphql`, options);
    sending.end();
    const [response]: IncomingMessage[] = await once(sending, 'response');
    if (response === undefined) throw new Error('no answer');
    expect(response.statusCode).toBe(400);
    expect(JSON.parse(await text(response))).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST' } }] });
  });

  it('health comes from the API', async () => {
    expect((await fetch(`${nginx.url}/health/ready`)).status).toBe(200);
    expect(upstream.received.at(-1)?.url).toBe('/health/ready');
  });

  it('its own status is on a listener of its own', async () => {
    expect(await (await fetch(nginx.statusUrl)).text()).toMatch(/^Active connections: \d+/);
    expect((await fetch(`${nginx.url}/stub_status`)).status).toBe(404);
  });

  it('answers are compressed for whoever takes that', async () => {
    upstream.answer = { body: JSON.stringify({ data: 'x'.repeat(5_000) }) };
    const sending = plainRequest(`${nginx.url}/graphql?documentId=long`, { headers: { 'accept-encoding': 'gzip' } });
    sending.end();
    const [response]: IncomingMessage[] = await once(sending, 'response');
    if (response === undefined) throw new Error('no answer');
    expect(response.headers).toMatchObject({ 'content-encoding': 'gzip' });
    expect(response.headers['vary']).toContain('Accept-Encoding');
    expect(gunzipSync(await buffer(response)).toString()).toBe(upstream.answer.body);
    expect(upstream.received.at(-1)?.headers).not.toHaveProperty('accept-encoding');
    upstream.answer = {};
  });

  it('the log has times of the API and nothing of who asked what', async () => {
    const secret = 'b9b4c6c4';
    await fetch(`${nginx.url}/graphql?documentId=x&variables={"id":"${secret}"}`, {
      headers: { authorization: `Bearer ${secret}`, 'x-device-id': secret, 'user-agent': secret, referer: secret },
    });
    const line = nginx.log().findLast(({ path }) => path === '/graphql');
    expect(line).toMatchObject({
      method: 'GET',
      status: 200,
      cache: 'BYPASS',
      upstream: new URL(upstream.url).host,
      upstreamStatus: '200',
      upstreamSeconds: expect.stringMatching(/^\d+\.\d+$/),
    });
    expect(JSON.stringify(nginx.log())).not.toContain(secret);
    expect(JSON.stringify(line)).not.toContain('127.0.0.1"');
  });
});

function at(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}
