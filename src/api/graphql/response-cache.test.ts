import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ANN, BOB, startTestApi, type TestApi } from '../../../test/fakes/test-api.ts';

const PAGE =
  'query Page($first: Int, $category: String) { popularItems(first: $first, category: $category) { nodes { item { id } } } }';

let api: TestApi;
beforeEach(async () => {
  api = await startTestApi({ cacheTtlMs: 60_000 });
});
afterEach(() => api[Symbol.asyncDispose]());

const stored = (): number => api.cache.entries.size;
const firstKey = (): string => [...api.cache.entries.keys()][0] ?? '';

describe('a public answer', () => {
  it('is stored whole and served again, to everybody', async () => {
    const first = await api.ask(PAGE, { as: ANN });
    expect(stored()).toBe(1);
    api.reader.fault = new Error('not to be asked');
    api.items.fault = new Error('not to be asked');
    const second = await api.ask(PAGE, { as: BOB });
    expect(second.data).toEqual(first.data);
    expect(second.header('cache-control')).toBe('public, max-age=1');
  });

  it('is found again whatever the layout, the order of the variables, and variables nobody declared', async () => {
    await api.ask(PAGE, { variables: { first: 2, category: null } });
    await api.ask(`# the same\n${PAGE.replaceAll(' { ', '\n{\n')}`, {
      variables: { category: null, first: 2, other: 1 },
    });
    expect(stored()).toBe(1);
  });

  it('differs by variables, and by null and nothing', async () => {
    for (const variables of [{}, { first: 2 }, { first: 3 }, { category: null }, { category: 'x'.repeat(200) }]) {
      await api.ask(PAGE, { variables });
    }
    expect(stored()).toBe(5);
  });

  it('is not that of null for a number that JSON cannot write', async () => {
    const nothing = await api.ask(PAGE, { variables: { category: null } });
    const tooLarge = await api.ask(PAGE, { variables: { category: Infinity } });
    expect([nothing.errors, tooLarge.errors.map(({ code }) => code)]).toEqual([[], ['BAD_USER_INPUT']]);
  });

  it('differs by a variable of any name', async () => {
    const query = 'query ($__proto__: ID!) { item(id: $__proto__) { id } }';
    const a = await api.ask(query, { variables: { ['__proto__']: 'a' } });
    const b = await api.ask(query, { variables: { ['__proto__']: 'b' } });
    expect([a.data, b.data]).toEqual([{ item: { id: 'a' } }, { item: { id: 'b' } }]);
  });

  it('differs by the operation of a document', async () => {
    const document = 'query A { item(id: "a") { id } } query B { item(id: "b") { id } }';
    const a = await api.ask(document, { operationName: 'A' });
    const b = await api.ask(document, { operationName: 'B' });
    expect([a.data, b.data]).toEqual([{ item: { id: 'a' } }, { item: { id: 'b' } }]);
  });

  it('is left behind when an item is hidden', async () => {
    await api.ask(PAGE);
    await api.useCases.catalogue.hide(['a'], true);
    const answer = await api.ask(PAGE);
    expect(answer.data).toMatchObject({ popularItems: { nodes: [{ item: { id: 'b' } }, {}, {}, {}] } });
  });

  it('is made anew from an entry that does not parse', async () => {
    const good = await api.ask(PAGE);
    for (const value of ['', '{', 'null', '[]', '{"data":{}}', '{"data":null,"cachePolicy":{},"cacheTime":1}']) {
      await api.cache.set(firstKey(), value, 60_000);
      const answer = await api.ask(PAGE);
      expect(answer.errors).toEqual([]);
      expect(answer.data).toEqual(good.data);
    }
  });

  it('is made anew when it is too large to be kept', async () => {
    const good = await api.ask(PAGE);
    const [stored] = [...api.cache.entries.values()];
    const entry: { data: Record<string, unknown> } = JSON.parse(stored?.value ?? '');
    entry.data['pad'] = 'x'.repeat(5 * 1024 * 1024);
    await api.cache.set(firstKey(), JSON.stringify(entry), 60_000);
    const answer = await api.ask(PAGE);
    expect(answer.errors).toEqual([]);
    expect(answer.data).toEqual(good.data);
  });

  it('is not stored when it failed', async () => {
    api.reader.fault = new Error('a defect');
    await api.ask(PAGE);
    expect(stored()).toBe(0);
  });
});

describe('freshness', () => {
  it('is stored for as long as its oldest part is fresh, in milliseconds', async () => {
    await using short = await startTestApi({ cacheTtlMs: 500 });
    await short.ask('{ item(id: "a") { id } }');
    await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(0));
    const until = performance.now() + 100;
    await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(until), { interval: 10 });
    await short.ask('{ item(id: "a") { title } }');
    const ttls = [...short.cache.entries.values()].map(({ ttlMs }) => ttlMs);
    expect(ttls[0]).toBeGreaterThan(450);
    expect(ttls[0]).toBeLessThanOrEqual(500);
    expect(ttls[1]).toBeLessThanOrEqual(400);
  });

  it('is one second at most, whatever the cache is set to', async () => {
    await api.ask(PAGE);
    expect([...api.cache.entries.values()].map(({ ttlMs }) => ttlMs)).toEqual([1_000]);
  });
});

describe('the last second in which nginx may give an answer', () => {
  afterEach(() => void vi.useRealTimers());

  // Fresh for half a second, and given by nginx for another three quarters.
  it.each([
    ['is that in which it was loaded', 5_050, 5_050],
    ['is the same for who finds it in the cache', 5_050, 5_450],
    ['is the same when it was loaded just before it', 4_800, 5_100],
    ['is over for who finds it in the next', 5_700, 6_100],
  ])('%s', async (_, loadedAtMs, askedAtMs) => {
    vi.useFakeTimers({ toFake: ['Date'], now: loadedAtMs });
    await using short = await startTestApi({ cacheTtlMs: 500 });
    await short.ask(PAGE);
    vi.setSystemTime(askedAtMs);
    expect((await short.ask(PAGE)).header('x-accel-expires')).toBe('@5');
  });

  it('is nowhere in an answer that nobody may keep', async () => {
    const answer = await api.ask('{ viewer { userId } }', { as: ANN });
    expect(answer.header('x-accel-expires')).toBeUndefined();
  });
});

describe('a private answer', () => {
  const PRIVATE = [
    '{ viewer { userId } }',
    '{ item(id: "a") { id viewerReactions } }',
    '{ popularItems { nodes { item { id viewerReactions } } } }',
    '{ ...F } fragment F on Query { item(id: "a") { ...G } } fragment G on Item { viewerReactions }',
    '{ item(id: "a") { ... on Item { ... { viewerReactions } } } }',
    '{ item(id: "a") { id viewerReactions @include(if: false) } }',
    '{ interaction(id: "019a0000-0000-7000-8000-000000000000") { id } }',
    '{ rankings { name } viewer { userId } }',
  ];

  it.each(PRIVATE)('%s is neither looked up nor stored, and says so', async (query) => {
    const answer = await api.ask(query, { as: ANN });
    expect(answer.errors).toEqual([]);
    expect(answer.header('cache-control')).toBe('private, no-store');
    expect(stored()).toBe(0);
    expect(api.cache.reads).toEqual([]);
  });

  it('of one viewer never reaches another', async () => {
    const like = 'mutation { recordInteraction(input: { itemId: "a", type: LIKE }) { userErrors { code } } }';
    await api.ask(like, { as: ANN });
    const query =
      '{ viewer { userId reactions { nodes { type item { id } } } } popularItems(first: 1) { nodes { item { viewerReactions } } } }';
    const ofAnn = {
      viewer: { userId: 'ann', reactions: { nodes: [{ type: 'LIKE', item: { id: 'a' } }] } },
      popularItems: { nodes: [{ item: { viewerReactions: ['LIKE'] } }] },
    };
    const ofBob = {
      viewer: { userId: 'bob', reactions: { nodes: [] } },
      popularItems: { nodes: [{ item: { viewerReactions: [] } }] },
    };
    for (let round = 0; round < 3; round += 1) {
      const [ann, bob, nobody] = await Promise.all([
        api.ask(query, { as: ANN }),
        api.ask(query, { as: BOB }),
        api.ask(query),
      ]);
      expect(ann.data).toEqual(ofAnn);
      expect(bob.data).toEqual(ofBob);
      expect(nobody.data).toEqual({ ...ofBob, viewer: null });
    }
  });

  it('takes its public part from the data cache', async () => {
    await api.ask('{ popularItems { nodes { item { id } } } viewer { userId } }', { as: ANN });
    await api.ask('{ popularItems { nodes { item { title } } } viewer { userId } }', { as: BOB });
    expect(api.reader.calls.standings).toHaveLength(1);
    expect(api.items.calls.find).toHaveLength(1);
  });
});

it('mutations and introspection are never stored', async () => {
  await api.ask('mutation { recordInteraction(input: { itemId: "a", type: VIEW }) { interaction { id } } }', {
    as: ANN,
  });
  await api.ask('{ __typename }');
  expect(stored()).toBe(0);
});
