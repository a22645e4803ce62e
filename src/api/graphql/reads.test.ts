import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ANN, startTestApi, type TestApi } from '../../../test/fakes/test-api.ts';
import { newInteractionId } from '../../interactions/interaction-id.ts';
import { UnavailableError } from '../../runtime/errors.ts';

let api: TestApi;
beforeEach(async () => {
  api = await startTestApi();
});
afterEach(() => api[Symbol.asyncDispose]());

it('more bad values in variables than are named are the fault of the client', async () => {
  const query = 'query ($ids: [ID!]!) { items(ids: $ids) { id } }';
  const { errors, status } = await api.ask(query, { variables: { ids: Array.from({ length: 60 }, () => true) } });
  expect(status).toBe(400);
  expect(errors).toHaveLength(6);
  expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['BAD_USER_INPUT']));
});

describe('popularItems with `includes`', () => {
  const ASK = `query ($includes: [ID!], $ranking: String! = "popular") { popularItems(includes: $includes, ranking: $ranking) {
    nodes { item { id counts(window: DAY) { count } } counts { count } } } }`;
  const settle = (): string[] => {
    const id = newInteractionId();
    api.progress.settled.push({ id, viewer: ANN.key, rejectedReason: null });
    return [id];
  };

  it('is read past the point of the write, its items and counts too, whatever caches hold', async () => {
    await api.ask(ASK, { as: ANN });
    const [found, ranked, counted] = [
      api.items.calls.find.length,
      api.reader.calls.standings.length,
      api.reader.calls.counts.length,
    ];
    const { errors, header } = await api.ask(ASK, { as: ANN, variables: { includes: settle() } });
    expect(errors).toEqual([]);
    expect(header('cache-control')).toBe('private, no-store');
    expect(api.reader.calls.standings.length).toBe(ranked + 1);
    expect(api.reader.calls.counts.length).toBe(counted + 2);
    expect(api.items.calls.find.length).toBe(found + 1);
    expect(api.items.points.at(-1)).toBe('0/1');
    expect(new Set(api.reader.calls.past)).toEqual(new Set(['0/1']));
  });

  it('is kept by no cache, and asked again it is read again', async () => {
    const includes = settle();
    for (const expected of [1, 2]) {
      await api.ask(ASK, { as: ANN, variables: { includes } });
      expect(api.progress.looks).toHaveLength(expected);
      expect(api.reader.calls.standings).toHaveLength(expected);
    }
    expect(api.cache.entries.size).toBe(0);
    await api.ask(ASK, { as: ANN });
    expect(api.reader.calls.standings).toHaveLength(3);
  });

  it.each([null, []])('waits for nothing and comes from the cache for %j', async (includes) => {
    for (let times = 0; times < 2; times += 1) await api.ask(ASK, { variables: { includes } });
    expect(api.progress.looks).toEqual([]);
    expect(api.reader.calls.standings).toHaveLength(1);
    expect(api.reader.calls.past).toEqual([]);
  });

  it('is UNAUTHENTICATED for nobody, and a bad argument is told without waiting', async () => {
    const variables = { includes: [newInteractionId()] };
    const anonymous = await api.ask(ASK, { variables });
    expect([anonymous.errors[0]?.code, anonymous.status]).toEqual(['UNAUTHENTICATED', 401]);
    const { errors } = await api.ask(ASK, { as: ANN, variables: { ...variables, ranking: 'nonsense' } });
    expect(errors[0]?.code).toBe('BAD_USER_INPUT');
    expect(api.progress.looks).toEqual([]);
  });

  it('is 503 with Retry-After while it is not yet recorded, and 409 once rejected', async () => {
    const id = newInteractionId();
    const early = await api.ask(ASK, { as: ANN, variables: { includes: [id] } });
    expect([early.errors[0]?.code, early.status, early.header('retry-after')]).toEqual(['NOT_YET_RECORDED', 503, '1']);
    api.progress.settled.push({ id, viewer: ANN.key, rejectedReason: 'ITEM_NOT_FOUND' });
    const rejected = await api.ask(ASK, { as: ANN, variables: { includes: [id] } });
    expect([rejected.errors[0]?.code, rejected.status]).toEqual(['INTERACTION_REJECTED', 409]);
  });
});

describe('popularItems', () => {
  it('gives nodes, edges and where the page lies', async () => {
    const answer = await api.ask(`{ popularItems(first: 2) {
      ranking window asOf nodes { rank score people item { id title } } edges { cursor node { rank } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`);
    expect(answer.errors).toEqual([]);
    const { popularItems } = answer.data as { popularItems: { edges: { cursor: string }[]; pageInfo: unknown } };
    expect(popularItems).toMatchObject({
      ranking: 'popular',
      window: 'WEEK',
      asOf: '2026-11-23T12:00:00.000Z',
      nodes: [
        { rank: 1, score: 10_000, people: 5, item: { id: 'a', title: 'Title of a' } },
        { rank: 2, score: 9_999, people: 4, item: { id: 'b' } },
      ],
      edges: [{ node: { rank: 1 } }, { node: { rank: 2 } }],
    });
    expect(popularItems.pageInfo).toEqual({
      hasNextPage: true,
      hasPreviousPage: false,
      startCursor: popularItems.edges[0]?.cursor,
      endCursor: popularItems.edges[1]?.cursor,
    });
  });

  it('counts events in the page’s own window, for all items in one call', async () => {
    const answer = await api.ask('{ popularItems(window: DAY) { nodes { counts { type count } } } }');
    expect(answer.data).toMatchObject({
      popularItems: {
        nodes: Array.from({ length: 5 }, () => ({
          counts: [
            { type: 'VIEW', count: 5 },
            { type: 'LIKE', count: 2 },
          ],
        })),
      },
    });
    expect(api.reader.calls.counts).toEqual([
      { itemIds: ['a', 'b', 'c', 'd', 'e'], window: 'DAY', asOf: api.reader.asOf },
    ]);
    await api.ask('{ popularItems(ranking: "trending") { nodes { counts { count } } } }');
    expect(api.reader.calls.counts[1]).toMatchObject({ window: 'ALL_TIME' });
  });

  it.each([
    ['first: 0', 'BAD_USER_INPUT'],
    ['first: 101', 'BAD_USER_INPUT'],
    ['ranking: "nonsense"', 'BAD_USER_INPUT'],
    ['after: "nonsense"', 'BAD_USER_INPUT'],
    ['types: []', 'BAD_USER_INPUT'],
    ['asOf: "2999-01-01T00:00:00Z"', 'BAD_USER_INPUT'],
    ['window: YEAR', 'GRAPHQL_VALIDATION_FAILED'],
    ['asOf: "2026-01-01T00:00:00"', 'GRAPHQL_VALIDATION_FAILED'],
  ])('(%s) is %s, with status 400', async (argument, code) => {
    const answer = await api.ask(`{ popularItems(${argument}) { ranking } }`);
    expect(answer.errors.map((error) => error.code)).toEqual([code]);
    expect(answer.status).toBe(400);
  });

  it.each([
    ['Int!', 'first', 1_000_000_000],
    ['Int!', 'first', 2 ** 31],
    ['DateTime', 'asOf', '2026-01-01T00:00:00'],
    ['DateTime', 'asOf', '2026-02-30T00:00:00Z'],
    ['DateTime', 'asOf', '2026-01-01'],
    ['DateTime', 'asOf', 'tomorrow'],
    ['DateTime', 'asOf', 0],
    ['DateTime', 'asOf', {}],
    ['PopularityWindow', 'window', 'YEAR'],
    ['[InteractionType!]', 'types', ['HATE']],
    ['Int = 3', 'first', null],
    ['String = "popular"', 'ranking', null],
  ])('a %s variable for %s of %j is BAD_USER_INPUT', async (type, argument, value) => {
    const answer = await api.ask(`query ($x: ${type}) { popularItems(${argument}: $x) { ranking } }`, {
      variables: { x: value },
    });
    expect(answer.errors.map(({ code }) => code)).toEqual(['BAD_USER_INPUT']);
    expect(answer.status).toBe(400);
  });

  it('null in a variable with a default is BAD_USER_INPUT for a directive as well', async () => {
    const answer = await api.ask('query ($x: Boolean = true) { popularItems { ranking @include(if: $x) } }', {
      variables: { x: null },
    });
    expect(answer.errors.map(({ code }) => code)).toEqual(['BAD_USER_INPUT']);
    expect(answer.status).toBe(400);
  });

  it('a variable nested too deep to be written as JSON is BAD_USER_INPUT', async () => {
    let deep: unknown[] = [];
    for (let depth = 0; depth < 100_000; depth += 1) deep = [deep];
    const answer = await api.ask('query ($x: Int) { popularItems(first: $x) { ranking } }', { variables: { x: deep } });
    expect(answer.errors.map(({ code }) => code)).toEqual(['BAD_USER_INPUT']);
    expect(answer.status).toBe(400);
  });
});

describe('items', () => {
  it('come in the order asked, null where unknown or hidden, with one call', async () => {
    await api.useCases.catalogue.hide(['b'], true);
    const answer = await api.ask('{ items(ids: ["c", "b", "nowhere", "a", "c", ""]) { id } item(id: "a") { id } }');
    expect(answer.data).toEqual({
      items: [{ id: 'c' }, null, null, { id: 'a' }, { id: 'c' }, null],
      item: { id: 'a' },
    });
    expect(api.items.calls.find).toEqual([['c', 'nowhere', 'a']]);
  });

  it('are at most 100, and text that cannot be stored is nobody’s id', async () => {
    const tooMany = await api.ask('query ($ids: [ID!]!) { items(ids: $ids) { id } }', {
      variables: { ids: Array.from({ length: 101 }, String) },
    });
    expect(tooMany.errors.map(({ code }) => code)).toEqual(['BAD_USER_INPUT']);
    const strange = await api.ask('query ($id: ID!) { item(id: $id) { id } }', { variables: { id: 'a\0' } });
    expect(strange).toMatchObject({ data: { item: null }, errors: [] });
    expect(api.items.calls.find).toEqual([]);
  });

  it('have counts over a window, all time by default', async () => {
    const answer = await api.ask(
      '{ item(id: "a") { counts { type count } hour: counts(window: HOUR) { count } createdAt } }',
    );
    expect(answer.data).toMatchObject({
      item: { counts: [{ type: 'VIEW', count: 5 }, { type: 'LIKE' }], createdAt: '2026-01-01T00:00:00.000Z' },
    });
    expect(api.reader.calls.counts.map(({ window }) => window)).toEqual(['ALL_TIME', 'HOUR']);
  });
});

describe('rankings', () => {
  it('are listed with their weights', async () => {
    const answer = await api.ask(
      '{ rankings { name description counts defaultWindow halfLifeHours weights { type weight } } }',
    );
    expect(answer.data).toMatchObject({
      rankings: [
        { name: 'popular', counts: 'PEOPLE', defaultWindow: 'WEEK', halfLifeHours: null },
        { name: 'trending', defaultWindow: null, halfLifeHours: 24, weights: [{ type: 'VIEW', weight: 1 }, {}, {}] },
      ],
    });
  });
});

describe('a fault of the service', () => {
  it('is SERVICE_UNAVAILABLE with 503 and Retry-After when a part is away', async () => {
    api.reader.fault = new UnavailableError('connect ECONNREFUSED 10.0.0.3:5432');
    const answer = await api.ask('{ popularItems { ranking } }');
    expect(answer.errors).toEqual([
      { message: 'The service is unavailable for the moment. Try again.', code: 'SERVICE_UNAVAILABLE' },
    ]);
    expect(answer.status).toBe(503);
    expect(answer.header('retry-after')).toBe('1');
    expect(answer.header('cache-control')).toBe('private, no-store');
  });

  it('is INTERNAL_SERVER_ERROR with 500 and says nothing else when it is a defect', async () => {
    api.reader.fault = new Error('relation "standings" does not exist');
    const answer = await api.ask('{ popularItems { ranking } }');
    expect(answer.errors).toEqual([{ message: 'Internal server error', code: 'INTERNAL_SERVER_ERROR' }]);
    expect(answer.status).toBe(500);
  });

  it('leaves the other parts of an answer with status 200', async () => {
    api.interactions.find = () => Promise.reject(new UnavailableError('away'));
    const id = '019a0000-0000-7000-8000-000000000000';
    const answer = await api.ask(`{ item(id: "a") { id } interaction(id: "${id}") { id } }`, { as: ANN });
    expect(answer.data).toEqual({ item: { id: 'a' }, interaction: null });
    expect(answer.errors.map(({ code }) => code)).toEqual(['SERVICE_UNAVAILABLE']);
    expect(answer.status).not.toBe(503);
  });
});
