import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, ANN, NOBODY, PHONE, startTestApi, type TestApi } from '../../../test/fakes/test-api.ts';
import { newInteractionId, occurredAtMs } from '../../interactions/interaction-id.ts';
import { viewerKeyOf } from '../../interactions/viewer-key.ts';
import { UnavailableError } from '../../runtime/errors.ts';

const LIKE =
  'mutation { recordInteraction(input: { itemId: "a", type: LIKE }) { interaction { id } userErrors { code } } }';
const RECORD = `mutation ($input: RecordInteractionInput!) { recordInteraction(input: $input) {
  interaction { id type status retraction occurredAt rejectedReason item { id } } userErrors { code field message } } }`;
const BULK = `mutation ($inputs: [RecordInteractionInput!]!) { recordInteractions(inputs: $inputs) {
  results { interaction { id } userErrors { code field } } } }`;

let api: TestApi;
beforeEach(async () => {
  api = await startTestApi();
});
afterEach(() => api[Symbol.asyncDispose]());

const publishedIds = (): string[] => api.queue.published.map(({ id }) => id);

describe('recordInteraction', () => {
  it('answers with what was accepted', async () => {
    const id = newInteractionId();
    const occurredAt = new Date(occurredAtMs(id)).toISOString();
    const answer = await api.ask(RECORD, {
      as: ANN,
      variables: { input: { itemId: 'a', type: 'VIEW', id, occurredAt, metadata: { page: 3 } } },
    });
    expect(answer.data).toEqual({
      recordInteraction: {
        interaction: {
          id,
          type: 'VIEW',
          status: 'ACCEPTED',
          retraction: false,
          occurredAt,
          rejectedReason: null,
          item: { id: 'a' },
        },
        userErrors: [],
      },
    });
    expect(api.queue.published).toMatchObject([
      { id, itemId: 'a', viewer: ANN.key, type: 'VIEW', metadata: { page: 3 } },
    ]);
    expect(answer.header('cache-control')).toBe('private, no-store');
  });

  it('names the input field at fault, with status 200', async () => {
    const answer = await api.ask(RECORD, { as: ANN, variables: { input: { itemId: 'nowhere', type: 'VIEW' } } });
    expect(answer.data).toEqual({
      recordInteraction: {
        interaction: null,
        userErrors: [{ code: 'ITEM_NOT_FOUND', field: ['input', 'itemId'], message: 'There is no such item.' }],
      },
    });
    expect(answer.status ?? 200).toBe(200);
  });

  it('takes a reaction back', async () => {
    const answer = await api.ask(
      'mutation { retractInteraction(input: { itemId: "a", type: SAVE }) { interaction { type retraction } userErrors { code } } }',
      { as: ANN },
    );
    expect(answer.data).toEqual({
      retractInteraction: { interaction: { type: 'SAVE', retraction: true }, userErrors: [] },
    });
    expect(api.queue.published).toMatchObject([{ retraction: true, type: 'SAVE' }]);
  });

  it('refuses a number that is not finite, in a literal too', async () => {
    const query =
      'mutation { recordInteraction(input: { itemId: "a", type: VIEW, metadata: { x: 1e400 } }) { userErrors { code field } } }';
    const answer = await api.ask(query, { as: ANN });
    expect(answer.data).toEqual({
      recordInteraction: { userErrors: [{ code: 'INVALID_METADATA', field: ['input', 'metadata'] }] },
    });
  });

  it('takes a time in lower case and refuses one without a zone', async () => {
    const occurredAt = new Date().toISOString();
    const taken = await api.ask(RECORD, {
      as: ANN,
      variables: { input: { itemId: 'a', type: 'VIEW', occurredAt: occurredAt.toLowerCase() } },
    });
    expect(taken.data).toMatchObject({ recordInteraction: { interaction: { occurredAt } } });
    const refused = await api.ask(RECORD, {
      as: ANN,
      variables: { input: { itemId: 'a', type: 'VIEW', occurredAt: occurredAt.slice(0, -1) } },
    });
    expect(refused.errors.map(({ code }) => code)).toEqual(['BAD_USER_INPUT']);
  });

  it('is UNAUTHENTICATED from nobody, and from a device where devices may not write', async () => {
    for (const query of [LIKE, LIKE.replace('recordInteraction', 'retractInteraction')]) {
      const answer = await api.ask(query, { as: NOBODY });
      expect(answer.errors.map(({ code }) => code)).toEqual(['UNAUTHENTICATED']);
      expect(answer.status).toBe(401);
    }
    expect((await api.ask(LIKE, { as: PHONE })).errors).toEqual([]);
    await using strict = await startTestApi({ anonymousWrites: false });
    expect((await strict.ask(LIKE, { as: PHONE })).errors.map(({ code }) => code)).toEqual(['UNAUTHENTICATED']);
    expect((await strict.ask(LIKE, { as: ANN })).errors).toEqual([]);
    const bulk = await api.ask(BULK, { variables: { inputs: [] } });
    expect(bulk.errors.map(({ code }) => code)).toEqual(['UNAUTHENTICATED']);
  });

  it('is SERVICE_UNAVAILABLE, 503 and Retry-After while nothing can be made durable', async () => {
    api.queue.fault = new UnavailableError('broker and outbox are away');
    const answer = await api.ask(LIKE, { as: ANN });
    expect(answer.errors.map(({ code }) => code)).toEqual(['SERVICE_UNAVAILABLE']);
    expect([answer.status, answer.header('retry-after')]).toEqual([503, '1']);
  });
});

describe('the Idempotency-Key', () => {
  const key = newInteractionId();

  it('is the id of the only interaction of a request', async () => {
    await api.ask(LIKE, { as: ANN, idempotencyKey: key });
    expect(publishedIds()).toEqual([key]);
  });

  it('that is no UUIDv7 is a userError', async () => {
    const answer = await api.ask(LIKE, { as: ANN, idempotencyKey: 'order 1' });
    expect(answer.data).toEqual({ recordInteraction: { interaction: null, userErrors: [{ code: 'INVALID_ID' }] } });
  });

  it('gives every field of a request its own id, the same on a retry', async () => {
    const field = 'recordInteraction(input: { itemId: "a", type: VIEW }) { interaction { id } }';
    const query = `mutation { one: ${field} two: ${field} }`;
    await api.ask(query, { as: ANN, idempotencyKey: key });
    await api.ask(query, { as: ANN, idempotencyKey: key });
    const ids = publishedIds();
    expect(new Set(ids).size).toBe(2);
    expect(ids.slice(2)).toEqual(ids.slice(0, 2));
    expect(ids).not.toContain(key);
  });

  it('gives every input of a bulk request its own id, the same on a retry', async () => {
    const variables = {
      inputs: [
        { itemId: 'a', type: 'VIEW' },
        { itemId: 'a', type: 'VIEW' },
      ],
    };
    await api.ask(BULK, { as: ANN, idempotencyKey: key, variables });
    await api.ask(BULK, { as: ANN, idempotencyKey: key, variables });
    const ids = publishedIds();
    expect(new Set(ids).size).toBe(2);
    expect(ids.slice(2)).toEqual(ids.slice(0, 2));
  });
});

describe('recordInteractions', () => {
  it('gives a result per input, in their order', async () => {
    const answer = await api.ask(BULK, {
      as: ANN,
      variables: {
        inputs: [
          { itemId: 'a', type: 'VIEW' },
          { itemId: 'nowhere', type: 'VIEW' },
          { itemId: 'b', type: 'LIKE', id: 'x' },
        ],
      },
    });
    expect(answer.data).toMatchObject({
      recordInteractions: {
        results: [
          { userErrors: [] },
          { interaction: null, userErrors: [{ code: 'ITEM_NOT_FOUND', field: ['inputs', '1', 'itemId'] }] },
          { interaction: null, userErrors: [{ code: 'INVALID_ID', field: ['inputs', '2', 'id'] }] },
        ],
      },
    });
    expect(api.queue.batches).toEqual([1]);
  });

  it('takes 1,000 and refuses one more', async () => {
    const inputs = Array.from({ length: 1_001 }, () => ({ itemId: 'a', type: 'VIEW' }));
    const tooMany = await api.ask(BULK, { as: ANN, variables: { inputs } });
    expect(tooMany.errors.map(({ code }) => code)).toEqual(['BAD_USER_INPUT']);
    expect(api.queue.published).toEqual([]);
    expect((await api.ask(BULK, { as: ANN, variables: { inputs: inputs.slice(1) } })).errors).toEqual([]);
    expect(api.queue.batches).toEqual([1_000]);
  });
});

describe('admin mutations', () => {
  const UPSERT =
    'mutation ($items: [ItemInput!]!) { upsertItems(items: $items) { items { id title url attributes } userErrors { code field } } }';
  const HIDE =
    'mutation ($ids: [ID!]!, $hidden: Boolean! = true) { hideItems(ids: $ids, hidden: $hidden) { ids userErrors { code field } } }';
  const ERASE =
    'mutation ($userId: ID, $deviceId: ID) { eraseViewer(userId: $userId, deviceId: $deviceId) { erasedInteractions userErrors { code } } }';

  it.each([
    [UPSERT, { items: [] }],
    [HIDE, { ids: [] }],
    [ERASE, { userId: 'ann' }],
  ])('%s are for admins', async (query, variables) => {
    const nobody = await api.ask(query, { variables });
    expect([nobody.errors.map(({ code }) => code), nobody.status]).toEqual([['UNAUTHENTICATED'], 401]);
    const ann = await api.ask(query, { variables, as: ANN });
    expect([ann.errors.map(({ code }) => code), ann.status]).toEqual([['FORBIDDEN'], 403]);
    expect((await api.ask(query, { variables, as: ADMIN })).errors).toEqual([]);
  });

  it('upsertItems stores the good ones and shows them at once', async () => {
    await api.ask('{ item(id: "a") { title } }');
    const items = [
      { id: 'a', title: 'New', url: 'https://example.com/a', attributes: { pages: 3 } },
      { id: 'f', title: '' },
    ];
    const answer = await api.ask(UPSERT, { as: ADMIN, variables: { items } });
    expect(answer.data).toEqual({
      upsertItems: {
        items: [{ id: 'a', title: 'New', url: 'https://example.com/a', attributes: { pages: 3 } }],
        userErrors: [{ code: 'INVALID_TITLE', field: ['items', '1', 'title'] }],
      },
    });
    const read = await api.ask('{ viewer { userId } item(id: "a") { title } }');
    expect(read.data).toMatchObject({ item: { title: 'New' } });
  });

  it('upsertItems refuses an item whose URL is none, and that item alone', async () => {
    const items = [
      { id: 'a', title: 'A', url: '/relative' },
      { id: 'b', title: 'B', url: 'https://example.com/b' },
      { id: 'c', title: 'C', url: 'javascript:alert(1)' },
    ];
    const answer = await api.ask(UPSERT, { as: ADMIN, variables: { items } });
    expect(answer.data).toMatchObject({
      upsertItems: {
        items: [{ id: 'b', url: 'https://example.com/b' }],
        userErrors: [
          { code: 'INVALID_URL', field: ['items', '0', 'url'] },
          { code: 'INVALID_URL', field: ['items', '2', 'url'] },
        ],
      },
    });
  });

  it('hideItems takes effect at once in this process, and can be undone', async () => {
    await api.ask(LIKE, { as: ANN });
    const hidden = await api.ask(HIDE, { as: ADMIN, variables: { ids: ['a', 'nowhere', ''] } });
    expect(hidden.data).toEqual({
      hideItems: {
        ids: ['a'],
        userErrors: [
          { code: 'ITEM_NOT_FOUND', field: ['ids', '1'] },
          { code: 'ITEM_NOT_FOUND', field: ['ids', '2'] },
        ],
      },
    });
    expect((await api.ask('{ item(id: "a") { id } }')).data).toEqual({ item: null });
    expect((await api.ask(LIKE, { as: ANN })).data).toMatchObject({
      recordInteraction: { userErrors: [{ code: 'ITEM_NOT_FOUND' }] },
    });
    await api.ask(HIDE, { as: ADMIN, variables: { ids: ['a'], hidden: false } });
    expect((await api.ask('{ item(id: "a") { id } }')).data).toEqual({ item: { id: 'a' } });
    expect((await api.ask(LIKE, { as: ANN })).data).toMatchObject({ recordInteraction: { userErrors: [] } });
  });

  it('eraseViewer takes exactly one person, and forgets what is pending', async () => {
    const both = [
      { userId: 'ann', deviceId: 'p' },
      { userId: '', deviceId: 'p' },
      { userId: 'ann', deviceId: '' },
    ];
    for (const variables of [...both, {}, { userId: '' }, { userId: null }]) {
      const answer = await api.ask(ERASE, { as: ADMIN, variables });
      expect(answer.data).toEqual({
        eraseViewer: { erasedInteractions: null, userErrors: [{ code: 'EXACTLY_ONE_VIEWER' }] },
      });
    }
    expect(api.erased).toEqual([]);
    await api.ask(LIKE, { as: ANN });
    const answer = await api.ask(ERASE, { as: ADMIN, variables: { userId: 'ann' } });
    expect(answer.data).toEqual({ eraseViewer: { erasedInteractions: 7, userErrors: [] } });
    expect(api.erased).toEqual([ANN.key]);
    expect((await api.ask('{ item(id: "a") { viewerReactions } }', { as: ANN })).data).toEqual({
      item: { viewerReactions: [] },
    });
    await api.ask(ERASE, { as: ADMIN, variables: { deviceId: 'p' } });
    expect(api.erased[1]).toBe(viewerKeyOf({ deviceId: 'p' }));
  });
});
