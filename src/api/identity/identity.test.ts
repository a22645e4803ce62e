import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT, type JWK } from 'jose';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { viewerKeyOf } from '../../interactions/viewer-key.ts';
import { codeOf, startTransport } from '../testing/transport.ts';

type Pair = Awaited<ReturnType<typeof generateKeyPair>>;
const SECRET = 'a secret that is long enough for HS256';
const NOW = Math.floor(Date.now() / 1_000);

let pair: Pair;
let other: Pair;
let fetches = 0;
let keys: JWK[] | null = null;
/** In place of the keys. */
let page: string | null = null;
const jwks = createServer((_, response) => {
  fetches += 1;
  response.statusCode = keys === null ? 500 : 200;
  response.end(page ?? JSON.stringify({ keys }));
});
let jwksUrl: string;

beforeAll(async () => {
  pair = await generateKeyPair('RS256', { extractable: true });
  other = await generateKeyPair('RS256', { extractable: true });
  await new Promise<void>((resolve) => jwks.listen(0, '127.0.0.1', resolve));
  jwksUrl = `http://127.0.0.1:${(jwks.address() as AddressInfo).port}/keys`;
  keys = [{ ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }];
});
afterAll(() => {
  jwks.close();
  jwks.closeAllConnections();
});

const start = () =>
  startTransport({ auth: { kind: 'jwks', url: jwksUrl, issuer: 'https://id.example', audience: 'groundswell' } });
const startWithSecret = () =>
  startTransport({ auth: { kind: 'secret', secret: SECRET, issuer: null, audience: null } });
type Api = Awaited<ReturnType<typeof start>>;

const token = (claims: Record<string, unknown> = {}, kid = 'one') =>
  new SignJWT({
    sub: 'ann',
    iss: 'https://id.example',
    aud: 'groundswell',
    exp: NOW + 600,
    ...claims,
  }).setProtectedHeader({ alg: 'RS256', kid });
const ask = (api: Api, bearer: string, headers: Record<string, string> = {}) =>
  api.post({ query: '{ who }' }, { authorization: `Bearer ${bearer}`, ...headers });
const whoIs = async (response: Response) => JSON.parse(JSON.parse(await response.text()).data.who);

describe('a signed-in user', () => {
  it('is known by the sub of the token, whatever headers say', async () => {
    await using api = await start();
    const response = await ask(api, await token().sign(pair.privateKey), {
      'x-user-id': 'eve',
      'x-user-role': 'admin',
      'x-device-id': 'd',
    });
    expect(await whoIs(response)).toEqual({
      userId: 'ann',
      deviceId: null,
      key: viewerKeyOf({ userId: 'ann' }),
      isAdmin: false,
    });
  });

  it('is an admin by the role claim alone', async () => {
    await using api = await start();
    expect((await whoIs(await ask(api, await token({ role: 'admin' }).sign(pair.privateKey)))).isAdmin).toBe(true);
    expect((await whoIs(await ask(api, await token({ role: 'user' }).sign(pair.privateKey)))).isAdmin).toBe(false);
  });

  it('may be known by a token that is signed with the secret', async () => {
    await using api = await startWithSecret();
    const signed = await new SignJWT({ sub: 'bob' })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(SECRET));
    expect((await whoIs(await ask(api, signed))).userId).toBe('bob');
  });
});

describe('a token that does not hold', () => {
  const bad: [string, () => Promise<string> | string][] = [
    ['without signature', () => new UnsecuredJWT({ sub: 'ann' }).setExpirationTime('1h').encode()],
    [
      'signed by HS256 with the public key',
      async () =>
        new SignJWT({ sub: 'ann', iss: 'https://id.example', aud: 'groundswell', exp: NOW + 600 })
          .setProtectedHeader({ alg: 'HS256', kid: 'one' })
          .sign(new TextEncoder().encode(await exportSPKI(pair.publicKey))),
    ],
    ['signed by another key', () => token().sign(other.privateKey)],
    ['that has expired', () => token({ exp: NOW - 60 }).sign(pair.privateKey)],
    ['that is not valid yet', () => token({ nbf: NOW + 600 }).sign(pair.privateKey)],
    ['of another issuer', () => token({ iss: 'https://evil.example' }).sign(pair.privateKey)],
    ['for another audience', () => token({ aud: 'other' }).sign(pair.privateKey)],
    ['with an unknown kid', () => token({}, 'two').sign(pair.privateKey)],
    ['without sub', () => token({ sub: undefined }).sign(pair.privateKey)],
    ['with an empty sub', () => token({ sub: '' }).sign(pair.privateKey)],
    ['with a NUL in its sub', () => token({ sub: 'a\u0000' }).sign(pair.privateKey)],
    ['that is no token', () => 'abc'],
  ];
  it.each(bad)('%s gets 401', async (_, make) => {
    await using api = await start();
    const response = await ask(api, await make());
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain('Bearer');
    expect(await codeOf(response)).toBe('UNAUTHENTICATED');
  });

  it('of another scheme gets 401', async () => {
    await using api = await start();
    expect((await api.post({ query: '{ who }' }, { authorization: 'Basic YTpi' })).status).toBe(401);
  });

  it('with one unknown kid after another fetches the keys once', async () => {
    await using api = await start();
    await ask(api, await token().sign(pair.privateKey));
    const before = fetches;
    for (let index = 0; index < 20; index++) {
      expect((await ask(api, await token({}, `kid-${index}`).sign(pair.privateKey))).status).toBe(401);
    }
    expect(fetches).toBe(before);
  });
});

/** When the test ends: the key server as it was before, and the real time. */
function restoreKeysLater(): void {
  const saved = keys;
  onTestFinished(() => {
    keys = saved;
    page = null;
    vi.useRealTimers();
  });
}

it.each([
  ['a 500', () => (keys = null)],
  ['a page that is no JSON', () => (page = '<html>Back soon</html>')],
  ['JSON that holds no keys', () => (page = '{"message":"Back soon"}')],
])(
  'while the key server answers %s, the answer is 503, and a flood of tokens does not reach it',
  async (_, breakIt) => {
    restoreKeysLater();
    breakIt();
    await using api = await start();
    const signed = await token().sign(pair.privateKey);
    const before = fetches;
    for (let index = 0; index < 10; index++) {
      const response = await ask(api, signed);
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('1');
      expect(await codeOf(response)).toBe('AUTH_UNAVAILABLE');
    }
    expect(fetches - before).toBeLessThanOrEqual(2);
  },
);

it('keys that were fetched last for an hour while their server is away, and no longer', async () => {
  restoreKeysLater();
  await using api = await start();
  const statusAfter = async (minutes: number): Promise<number> => {
    const nowMs = NOW * 1_000 + minutes * 60_000;
    vi.useFakeTimers({ toFake: ['Date'], now: nowMs });
    const response = await ask(api, await token({ exp: nowMs / 1_000 + 60 }).sign(pair.privateKey));
    await response.text();
    return response.status;
  };
  expect(await statusAfter(0)).toBe(200);
  keys = null;
  const before = fetches;
  expect(await statusAfter(9)).toBe(200);
  expect(fetches).toBe(before);
  expect(await statusAfter(11)).toBe(200);
  await vi.waitFor(() => expect(fetches).toBe(before + 1));
  expect(await statusAfter(59)).toBe(200);
  expect(await statusAfter(61)).toBe(503);
});

it('keys that changed are known within a request after ten minutes', async () => {
  restoreKeysLater();
  await using api = await start();
  const ann = async (): Promise<string> =>
    token({ exp: NOW + 3_600, jti: String(Math.random()) }).sign(pair.privateKey);
  expect((await ask(api, await ann())).status).toBe(200);
  keys = [{ ...(await exportJWK(other.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }];
  vi.useFakeTimers({ toFake: ['Date'], now: NOW * 1_000 + 11 * 60_000 });
  await vi.waitFor(async () => expect((await ask(api, await ann())).status).toBe(401));
});

describe('development identity', () => {
  it('believes the headers', async () => {
    await using api = await startTransport();
    const response = await api.post(
      { query: '{ who }' },
      { 'x-user-id': Buffer.from('Žofie').toString('latin1'), 'x-user-role': 'admin' },
    );
    expect(await whoIs(response)).toMatchObject({ userId: 'Žofie', isAdmin: true });
  });

  it('knows an anonymous device, and nobody', async () => {
    await using api = await startTransport();
    const device = await whoIs(await api.post({ query: '{ who }' }, { 'x-device-id': 'phone' }));
    expect(device).toEqual({
      userId: null,
      deviceId: 'phone',
      key: viewerKeyOf({ deviceId: 'phone' }),
      isAdmin: false,
    });
    expect((await whoIs(await api.post({ query: '{ who }' }))).key).toBeNull();
  });
});
