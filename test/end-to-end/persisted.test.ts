import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newInteractionId } from '../../src/interactions/interaction-id.ts';
import { packageRoot } from '../../src/runtime/package-root.ts';
import { runCommand } from '../commands/run-command.ts';
import { startCommand, type RunningCommand } from '../commands/start-command.ts';
import { testDirectory } from '../servers/test-run.ts';
import { waitFor } from '../servers/wait-for.ts';
import { asAdmin, ask, startOnServers, type System } from './system.ts';

interface Operation {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly body: string;
}

const MOBILE = join(packageRoot(), 'examples/mobile');
const manifestText = readFileSync(join(MOBILE, 'persisted-query-manifest.json'), 'utf8');
const manifest: { format: string; version: number; operations: Operation[] } = JSON.parse(manifestText);
const UNLISTED = 'query Unlisted { rankings { name description } }';
const device = { 'x-device-id': 'phone' };
const itemId = `book ${randomUUID()}`;

let system: System;
let file: string;
const apis: RunningCommand[] = [];

beforeAll(async () => {
  system = await startOnServers({ worker: false });
  file = join(testDirectory('manifest'), 'manifest.json');
  writeFileSync(file, manifestText);
  await ask(
    system,
    'mutation ($items: [ItemInput!]!) { upsertItems(items: $items) { userErrors { code } } }',
    { items: [{ id: itemId, title: 'A book' }] },
    asAdmin,
  );
});
afterAll(async () => {
  for (const api of apis) await api[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

async function startApi(env: Record<string, string>): Promise<RunningCommand> {
  const api = await startCommand('api', { ...system.env, PERSISTED_QUERY_MANIFESTS: file, ...env });
  apis.push(api);
  return api;
}

async function post(url: string, body: Record<string, unknown>): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...device },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

const get = async (url: string, parameters: Record<string, string>): Promise<{ status: number; body: unknown }> => {
  const response = await fetch(`${url}/graphql?${new URLSearchParams(parameters).toString()}`, {
    headers: { 'apollo-require-preflight': 'true', ...device },
  });
  return { status: response.status, body: await response.json() };
};

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const byHash = (sha256Hash: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash } } });
const refused = (code: string) => ({ status: 400, body: { errors: [{ extensions: { code } }] } });

function operation(name: string): Operation {
  const found = manifest.operations.find((each) => each.name === name);
  if (found === undefined) throw new Error(`the manifest lists no ${name}`);
  return found;
}

it('the example manifest is that of the operations beside it, each id the hash of its text', () => {
  const written = execFileSync(process.execPath, [join(MOBILE, 'write-manifest.mjs')], { encoding: 'utf8' });
  expect(JSON.parse(written)).toEqual(manifest);
  expect(manifest).toMatchObject({ format: 'apollo-persisted-query-manifest', version: 1 });
  expect(manifest.operations.map(({ name, type }) => `${type} ${name}`)).toEqual([
    'query Item',
    'query PopularItems',
    'mutation RecordInteractions',
    'mutation RetractInteraction',
  ]);
  for (const { id, body } of manifest.operations) expect(id).toBe(sha256(body));
});

it.each([
  ['missing', null],
  ['no manifest', '{ "format":\n "something else" }'],
])('a manifest that is %s at the start is named in one line with its variable, and the exit is 78', async (_, text) => {
  const broken = join(testDirectory('broken-manifest'), 'manifest.json');
  if (text !== null) writeFileSync(broken, text);
  const env = { ...system.env, PORT: '0', METRICS_PORT: '0', PERSISTED_QUERY_MANIFESTS: broken };
  const { exitCode, stderr } = await runCommand('api', env);
  expect(stderr).toMatch(/^PERSISTED_QUERY_MANIFESTS: .*manifest\.json: .*\n$/);
  expect(exitCode).toBe(78);
});

describe('enforce', () => {
  let url: string;
  beforeAll(async () => {
    ({ url } = await startApi({ PERSISTED_QUERIES: 'enforce' }));
  });

  it('every listed operation runs, under each of its ids and by its text', async () => {
    const itemRead = { status: 200, body: { data: { item: { id: itemId, title: 'A book' } } } };
    const { id, body } = operation('Item');
    const variables = { id: itemId };
    for (const each of [id, `sha256:${id}`, id.toUpperCase()]) {
      expect(await post(url, { ...byHash(each), variables }), each).toMatchObject(itemRead);
      expect(await post(url, { documentId: each, variables }), each).toMatchObject(itemRead);
      const extensions = JSON.stringify(byHash(each).extensions);
      expect(await get(url, { extensions, variables: JSON.stringify(variables) }), each).toMatchObject(itemRead);
    }
    expect(await post(url, { query: body, variables })).toMatchObject(itemRead);

    const page = { documentId: operation('PopularItems').id, variables: { first: 5, ranking: 'popular' } };
    expect(await post(url, page)).toMatchObject({ status: 200, body: { data: { popularItems: { nodes: [] } } } });
    const inputs = [{ itemId, type: 'LIKE', id: newInteractionId() }];
    const like = await post(url, { documentId: operation('RecordInteractions').id, variables: { inputs } });
    expect(like).toMatchObject({ body: { data: { recordInteractions: { results: [{ userErrors: [] }] } } } });
    expect(await post(url, { documentId: id, variables })).toMatchObject({
      body: { data: { item: { viewerReactions: ['LIKE'] } } },
    });
    const input = { itemId, type: 'LIKE', id: newInteractionId() };
    const unlike = await post(url, { documentId: operation('RetractInteraction').id, variables: { input } });
    expect(unlike).toMatchObject({
      body: { data: { retractInteraction: { interaction: { item: { viewerReactions: [] } }, userErrors: [] } } },
    });
  });

  it('nothing else runs, and each refusal has its code', async () => {
    const { id, body } = operation('Item');
    const notListed = refused('PERSISTED_QUERY_NOT_IN_LIST');
    expect(await post(url, { query: UNLISTED })).toMatchObject(notListed);
    expect(await post(url, { query: `${body}\n` })).toMatchObject(notListed);
    expect(await post(url, { query: '{ __schema { types { name } } }' })).toMatchObject(notListed);
    expect(await post(url, { documentId: sha256(UNLISTED) })).toMatchObject(notListed);
    expect(await post(url, byHash(sha256(UNLISTED)))).toMatchObject(notListed);
    expect(await get(url, { query: UNLISTED })).toMatchObject(notListed);
    const both = refused('PERSISTED_QUERY_ID_WITH_BODY');
    expect(await post(url, { query: UNLISTED, ...byHash(sha256(UNLISTED)) })).toMatchObject(both);
    expect(await post(url, { query: UNLISTED, documentId: id })).toMatchObject(both);
    expect(await post(url, { query: '' })).toMatchObject(refused('BAD_REQUEST'));
    const mutation = JSON.stringify(byHash(operation('RetractInteraction').id).extensions);
    expect(await get(url, { extensions: mutation })).toMatchObject({
      status: 405,
      body: { errors: [{ extensions: { code: 'METHOD_NOT_ALLOWED' } }] },
    });
  });

  it('a changed manifest takes effect without a restart, and a broken one does not', async () => {
    const added = { id: sha256(UNLISTED), name: 'Unlisted', type: 'query', body: UNLISTED };
    const item = operation('Item');
    const replace = (text: string): void => {
      writeFileSync(`${file}.new`, text);
      renameSync(`${file}.new`, file);
    };
    const statusOf = async (id: string): Promise<number> =>
      (await post(url, { documentId: id, variables: { id: itemId } })).status;

    replace(JSON.stringify({ ...manifest, operations: [added] }));
    await waitFor('the added operation to run', async () => (await statusOf(added.id)) === 200);
    expect(await statusOf(item.id)).toBe(400);

    const api = apis.at(-1);
    replace('{');
    await waitFor('the fault to be logged', () => api?.output().includes('those before stay in use') === true);
    expect(await statusOf(added.id)).toBe(200);

    replace(manifestText);
    await waitFor('the operation to run again', async () => (await statusOf(item.id)) === 200);
    expect(await statusOf(added.id)).toBe(400);
  });
});

it('log runs what enforce would refuse, and says so without the text', async () => {
  const api = await startApi({ PERSISTED_QUERIES: 'log' });
  const variables = { id: itemId };
  expect(await post(api.url, { documentId: operation('Item').id, variables })).toMatchObject({ status: 200 });
  expect(api.output()).not.toContain('not in the persisted query manifests');
  expect(await post(api.url, { query: UNLISTED })).toMatchObject({
    status: 200,
    body: { data: { rankings: [{}, {}, {}, {}] } },
  });
  await waitFor('the log', () => api.output().includes('not in the persisted query manifests'));
  expect(api.output()).toContain(sha256(UNLISTED));
  expect(api.output()).not.toContain(UNLISTED);
});

it('off refuses every id, and runs every text', async () => {
  const { url } = await startApi({ PERSISTED_QUERIES: 'off' });
  const unsupported = { status: 200, body: { errors: [{ extensions: { code: 'PERSISTED_QUERY_NOT_SUPPORTED' } }] } };
  expect(await post(url, { documentId: operation('Item').id })).toMatchObject(unsupported);
  expect(await post(url, { query: UNLISTED, ...byHash(sha256(UNLISTED)) })).toMatchObject(unsupported);
  expect(await post(url, { query: UNLISTED })).toMatchObject({
    status: 200,
    body: { data: { rankings: [{}, {}, {}, {}] } },
  });
});

it('what one API process learned by GET, every other one knows', async () => {
  const other = await startApi({});
  const query = `query Automatic { rankings { name } } # ${randomUUID()}`;
  const extensions = JSON.stringify(byHash(sha256(query)).extensions);
  const found = { status: 200, body: { data: { rankings: [{ name: 'popular' }, {}, {}, {}] } } };
  const unknown = { body: { errors: [{ extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } }] } };
  for (const url of [system.url, other.url]) expect(await get(url, { extensions })).toMatchObject(unknown);
  expect(await get(system.url, { extensions, query })).toMatchObject(found);
  await waitFor('the other process to know it', async () => {
    const { body } = await get(other.url, { extensions });
    return JSON.stringify(body).includes('"data"');
  });
  for (const url of [other.url, system.url]) expect(await get(url, { extensions })).toMatchObject(found);
});
