import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createLogger } from '../../runtime/logger.ts';
import { watchManifests } from './manifest-watcher.ts';
import { loadManifests, manifestsSignature, sha256 } from './manifests.ts';
import { createMemoryTextCache } from '../../../test/fakes/memory-text-cache.ts';
import { codeOf, startTransport } from '../testing/transport.ts';

const LISTED = 'query Hello {\n  hello\n}';
const UNLISTED = '{ hello }';
const DAY_MS = 86_400_000;
const manifest = (operations: { id: string; body: string }[]) =>
  JSON.stringify({
    format: 'apollo-persisted-query-manifest',
    version: 1,
    operations: operations.map((operation) => ({ ...operation, name: 'Hello', type: 'query' })),
  });
const apq = (sha256Hash: string, query?: string) => ({
  query,
  extensions: { persistedQuery: { version: 1, sha256Hash } },
});
/** As the manifest tool writes it: no hash of the text as sent. */
const MANIFEST_ID = sha256('the text with its definitions sorted');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groundswell-manifests-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function listedDocuments() {
  const file = join(folder, 'listed.json');
  await writeFile(file, manifest([{ id: MANIFEST_ID, body: LISTED }]));
  const documents = await loadManifests([file]);
  return () => documents;
}

describe('a listed document', () => {
  it.each([
    ['the manifest’s own', MANIFEST_ID],
    ['the hash of its text', sha256(LISTED)],
    ['the hash with its prefix', `sha256:${sha256(LISTED)}`],
    ['upper case', MANIFEST_ID.toUpperCase()],
  ])('runs by %s id, in every mode but off', async (_, id) => {
    for (const mode of ['automatic', 'log', 'enforce'] as const) {
      await using api = await startTransport({ mode, listed: await listedDocuments() });
      expect(await (await api.post(apq(id))).json()).toEqual({ data: { hello: 'world' } });
      expect(await (await api.post({ documentId: id })).json()).toEqual({ data: { hello: 'world' } });
    }
  });

  it('is refused by its id when ids are off', async () => {
    await using api = await startTransport({ mode: 'off', listed: await listedDocuments() });
    expect(await codeOf(await api.post(apq(MANIFEST_ID)))).toBe('PERSISTED_QUERY_NOT_SUPPORTED');
    expect(await codeOf(await api.post({ documentId: MANIFEST_ID }))).toBe('PERSISTED_QUERY_NOT_SUPPORTED');
    expect((await api.post({ query: UNLISTED })).status).toBe(200);
  });
});

describe('enforce', () => {
  it.each([
    ['another text', { query: UNLISTED }, 'PERSISTED_QUERY_NOT_IN_LIST'],
    ['the listed text with other spaces', { query: `${LISTED} ` }, 'PERSISTED_QUERY_NOT_IN_LIST'],
    ['an unknown id', apq(sha256(UNLISTED)), 'PERSISTED_QUERY_NOT_IN_LIST'],
    ['a text with its hash', apq(sha256(UNLISTED), UNLISTED), 'PERSISTED_QUERY_ID_WITH_BODY'],
    ['a listed id with another text', apq(MANIFEST_ID, UNLISTED), 'PERSISTED_QUERY_ID_WITH_BODY'],
    ['introspection', { query: '{ __schema { types { name } } }' }, 'PERSISTED_QUERY_NOT_IN_LIST'],
  ])('refuses %s', async (_, body, code) => {
    await using api = await startTransport({ mode: 'enforce', listed: await listedDocuments() });
    const response = await api.post(body);
    expect(response.status).toBe(400);
    expect(await codeOf(response)).toBe(code);
  });

  it('runs a listed text', async () => {
    await using api = await startTransport({ mode: 'enforce', listed: await listedDocuments() });
    expect((await api.post({ query: LISTED })).status).toBe(200);
  });
});

describe('automatic', () => {
  it('remembers a text under its hash, also for other processes and for GET', async () => {
    const cache = createMemoryTextCache();
    await using first = await startTransport({ cache });
    await using second = await startTransport({ cache });
    const hash = sha256(UNLISTED);
    const missing = await first.post(apq(hash));
    expect(missing.status).toBe(200);
    expect(await codeOf(missing)).toBe('PERSISTED_QUERY_NOT_FOUND');
    expect((await first.post(apq(hash.toUpperCase(), UNLISTED))).status).toBe(200);
    const extensions = encodeURIComponent(JSON.stringify(apq(hash).extensions));
    for (const api of [first, second]) {
      const got = await fetch(`${api.url}/graphql?extensions=${extensions}`, {
        headers: { 'apollo-require-preflight': '1' },
      });
      expect(await got.json()).toEqual({ data: { hello: 'world' } });
    }
    // Without an end, what anybody sends would fill the shared cache for ever.
    expect([...cache.entries].map(([key, { ttlMs }]) => [key, ttlMs])).toEqual([[`apq:${hash}`, 7 * DAY_MS]]);
  });

  it('refuses a hash that is not that of the text', async () => {
    await using api = await startTransport();
    const response = await api.post(apq(sha256('other'), UNLISTED));
    expect(response.status).toBe(400);
    expect(await codeOf(response)).toBe('PERSISTED_QUERY_HASH_MISMATCH');
  });

  it('runs nothing that the shared cache holds under a hash that is not its own', async () => {
    const cache = createMemoryTextCache();
    await cache.set(`apq:${sha256(UNLISTED)}`, '{ who }', DAY_MS);
    await using api = await startTransport({ cache });
    expect(await codeOf(await api.post(apq(sha256(UNLISTED))))).toBe('PERSISTED_QUERY_NOT_FOUND');
  });

  it('does not remember a text that did not run', async () => {
    const cache = createMemoryTextCache();
    await using api = await startTransport({ cache });
    expect((await api.post(apq(sha256('{ nope }'), '{ nope }'))).status).toBe(400);
    expect(cache.entries.size).toBe(0);
  });

  it.each([
    ['an unknown version', { extensions: { persistedQuery: { version: 2, sha256Hash: 'x' } } }],
    ['no hash', { extensions: { persistedQuery: { version: 1 } } }],
    ['text in place of an object', { extensions: { persistedQuery: 'x' } }],
    ['two different ids', { documentId: 'other', ...apq(sha256(UNLISTED)) }],
  ])('answers %s with 400', async (_, body) => {
    await using api = await startTransport();
    const response = await api.post(body);
    expect(response.status).toBe(400);
    expect(await codeOf(response)).toBe('BAD_REQUEST');
  });
});

it('log runs what enforce would refuse, and counts it', async () => {
  await using api = await startTransport({ mode: 'log', listed: await listedDocuments() });
  expect((await api.post({ query: LISTED })).status).toBe(200);
  expect((await api.post({ query: UNLISTED })).status).toBe(200);
  expect((await api.post(apq(MANIFEST_ID, LISTED))).status).toBe(200);
  const counted = await api.metrics.persistedQueries.get();
  expect(counted.values.filter(({ value }) => value > 0)).toEqual([{ labels: { outcome: 'unlisted' }, value: 2 }]);
});

describe('manifests', () => {
  const logger = createLogger('silent', 'test');

  it('are loaded again when a file changes, and a broken one leaves the set before it', async () => {
    const file = join(folder, 'changing.json');
    await writeFile(file, manifest([{ id: 'one', body: '{ hello }' }]));
    const watcher = await watchManifests({ patterns: [join(folder, 'chang*.json')], logger, pollMs: 20 });
    try {
      expect([...watcher.current().bodies]).toEqual(['{ hello }']);
      await writeFile(file, '{ "format":');
      await writeFile(`${file}.new`, manifest([{ id: 'two', body: '{ who }' }]));
      expect([...watcher.current().bodies]).toEqual(['{ hello }']);
      await rename(`${file}.new`, file);
      await expect.poll(() => [...watcher.current().bodies], { timeout: 15_000 }).toEqual(['{ who }']);
      await writeFile(join(folder, 'change-2.json'), manifest([{ id: 'three', body: '{ key }' }]));
      await expect.poll(() => watcher.current().byId.get('three'), { timeout: 15_000 }).toBe('{ key }');
    } finally {
      watcher.close();
    }
  });

  it('stay in use while no file matches any more, until one does', async () => {
    const away = join(folder, 'away');
    const file = join(folder, 'here/manifest.json');
    await mkdir(join(folder, 'here'));
    await writeFile(file, manifest([{ id: 'one', body: '{ hello }' }]));
    const ownLogger = createLogger('silent', 'test');
    const faults = vi.spyOn(ownLogger, 'error');
    const watcher = await watchManifests({ patterns: [join(folder, 'here/*.json')], logger: ownLogger, pollMs: 20 });
    onTestFinished(() => watcher.close());
    await rename(join(folder, 'here'), away);
    await expect.poll(() => faults.mock.calls, { timeout: 15_000 }).toHaveLength(1);
    expect([...watcher.current().bodies]).toEqual(['{ hello }']);
    await writeFile(join(away, 'manifest.json'), manifest([{ id: 'two', body: '{ who }' }]));
    await rename(away, join(folder, 'here'));
    await expect.poll(() => [...watcher.current().bodies], { timeout: 15_000 }).toEqual(['{ who }']);
    expect(faults).toHaveBeenCalledTimes(1);
  });

  it('are looked at again when they may be read by others than before', async () => {
    const file = join(folder, 'private.json');
    await writeFile(file, manifest([]), { mode: 0o600 });
    const before = await manifestsSignature([file]);
    await chmod(file, 0o644);
    expect(await manifestsSignature([file])).not.toBe(before);
  });

  it.each([
    ['no JSON', '{ "format":\n nonsense }', 'JSON'],
    ['another format', JSON.stringify({ format: 'x', version: 1, operations: [] }), 'format'],
    ['a document with a syntax error', manifest([{ id: 'a', body: '{ hello' }]), 'operation a'],
    [
      'one id for two documents',
      manifest([
        { id: 'a', body: '{ hello }' },
        { id: 'a', body: '{ who }' },
      ]),
      'two documents',
    ],
  ])('with %s are refused at the start in one line that names the variable and the file', async (_, content, words) => {
    const file = join(folder, 'broken.json');
    await writeFile(file, content);
    const fault = await watchManifests({ patterns: [file], logger }).catch(String);
    expect(fault).toMatch(/^ManifestError: PERSISTED_QUERY_MANIFESTS: .*broken\.json: .*$/);
    expect(fault).toContain(words);
  });

  it('that are missing are refused at the start', async () => {
    await expect(watchManifests({ patterns: [join(folder, 'nope.json')], logger })).rejects.toThrow('nope.json');
  });
});
