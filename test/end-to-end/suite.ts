import { createHash, randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newInteractionId } from '../../src/interactions/interaction-id.ts';
import { readmeBlock } from '../commands/readme-blocks.ts';
import { runCommand } from '../commands/run-command.ts';
import { testDirectory } from '../servers/test-run.ts';
import { as, asAdmin, ask, askUntil, type System } from './system.ts';

const RECORD = `mutation ($input: RecordInteractionInput!) { recordInteraction(input: $input) {
  interaction { id type status retraction occurredAt item { id } } userErrors { code field message } } }`;
const RETRACT = `mutation ($input: RetractInteractionInput!) { retractInteraction(input: $input) {
  interaction { id retraction status } userErrors { code field message } } }`;
const COUNTS = `query ($id: ID!) { item(id: $id) { counts { type count } } }`;
const VIEWER_REACTIONS = `query ($id: ID!) { item(id: $id) { id viewerReactions } }`;
const POPULAR = `query ($first: Int! = 20, $after: String, $category: String, $window: PopularityWindow) {
  popularItems(first: $first, after: $after, category: $category, window: $window) {
    asOf window ranking pageInfo { hasNextPage endCursor } nodes { rank score people counts { type count } item { id title } } } }`;

/** What every user may rely on, whichever parts it runs on. */
export function describeSystem(name: string, start: () => Promise<System>): void {
  describe(name, () => {
    let system: System;
    const category = `shelf ${randomUUID()}`;
    const item = (n: number): string => `${category} ${n}`;
    const upsert = (n: number) => ({ id: item(n), title: `Title ${n}`, category });
    const record = (user: string, input: Record<string, unknown>) => ask(system, RECORD, { input }, as(user));
    const counts = (n: number) => ask(system, COUNTS, { id: item(n) });
    const within2s = (n: number, expected: unknown): Promise<number> =>
      askUntil(
        () => counts(n),
        (data) => JSON.stringify(data['item']) === JSON.stringify({ counts: expected }),
        2_000,
      );

    beforeAll(async () => {
      system = await start();
      const added = await ask(
        system,
        `mutation ($items: [ItemInput!]!) { upsertItems(items: $items) { items { id } userErrors { code } } }`,
        { items: Array.from({ length: 12 }, (_, n) => upsert(n)) },
        asAdmin,
      );
      expect(added.body).toMatchObject({ data: { upsertItems: { userErrors: [] } } });
      // A replica may not have them yet.
      await askUntil(
        () => counts(0),
        (data) => data['item'] !== null,
        5_000,
      );
    });
    afterAll(() => system[Symbol.asyncDispose]());

    it('a like shows in viewerReactions at once and in popularItems within 2 s', async () => {
      const { body } = await record('ann', { itemId: item(0), type: 'LIKE' });
      expect(body).toMatchObject({
        data: {
          recordInteraction: {
            interaction: { type: 'LIKE', retraction: false, item: { id: item(0) } },
            userErrors: [],
          },
        },
      });
      const mine = await ask(system, VIEWER_REACTIONS, { id: item(0) }, as('ann'));
      expect(mine.body.data).toEqual({ item: { id: item(0), viewerReactions: ['LIKE'] } });
      await askUntil(
        () => ask(system, POPULAR, { category }),
        (data) =>
          JSON.stringify(data).includes(`"people":1,"counts":[{"type":"LIKE","count":1}],"item":{"id":"${item(0)}"`),
        2_000,
      );
    });

    it('one viewer never sees what another did', async () => {
      const [theirs, nobodys] = [
        await ask(system, VIEWER_REACTIONS, { id: item(0) }, as('bob')),
        await ask(system, VIEWER_REACTIONS, { id: item(0) }),
      ];
      expect(theirs.body.data).toEqual({ item: { id: item(0), viewerReactions: [] } });
      expect(nobodys.body.data).toEqual({ item: { id: item(0), viewerReactions: [] } });
      expect(theirs.headers.get('cache-control')).toMatch(/private|no-store/);
      const mine = await ask(system, VIEWER_REACTIONS, { id: item(0) }, as('ann'));
      expect(mine.body.data).toEqual({ item: { id: item(0), viewerReactions: ['LIKE'] } });
    });

    it('a retraction shows at once and leaves the counts', async () => {
      await record('ann', { itemId: item(1), type: 'SAVE' });
      await within2s(1, [{ type: 'SAVE', count: 1 }]);
      const { body } = await ask(system, RETRACT, { input: { itemId: item(1), type: 'SAVE' } }, as('ann'));
      expect(body).toMatchObject({
        data: { retractInteraction: { interaction: { retraction: true }, userErrors: [] } },
      });
      const mine = await ask(system, VIEWER_REACTIONS, { id: item(1) }, as('ann'));
      expect(mine.body.data).toEqual({ item: { id: item(1), viewerReactions: [] } });
      await within2s(1, []);
    });

    it('the same id counts once, however often and however it is sent', async () => {
      const id = newInteractionId();
      const answers = await Promise.all([
        ...Array.from({ length: 20 }, () => record('ann', { itemId: item(2), type: 'PURCHASE', id })),
        ...Array.from({ length: 5 }, () =>
          ask(
            system,
            RECORD,
            { input: { itemId: item(2), type: 'PURCHASE' } },
            { ...as('ann'), 'idempotency-key': id.toUpperCase() },
          ),
        ),
      ]);
      for (const { body } of answers)
        expect(body).toMatchObject({ data: { recordInteraction: { interaction: { id }, userErrors: [] } } });
      await record('carl', { itemId: item(2), type: 'SHARE' });
      await within2s(2, [
        { type: 'SHARE', count: 1 },
        { type: 'PURCHASE', count: 1 },
      ]);
    });

    it('an interaction is ACCEPTED, then RECORDED, for its viewer and admins alone', async () => {
      const id = newInteractionId();
      const status = `query ($id: ID!) { interaction(id: $id) { id status rejectedReason item { id } } }`;
      await record('ann', { itemId: item(3), type: 'VIEW', id });
      const first = await ask(system, status, { id }, as('ann'));
      expect(first.body.data?.['interaction']).toMatchObject({ id, item: { id: item(3) } });
      await askUntil(
        () => ask(system, status, { id }, as('ann')),
        (data) => JSON.stringify(data).includes('"RECORDED"'),
        2_000,
      );
      expect((await ask(system, status, { id }, asAdmin)).body.data?.['interaction']).toMatchObject({
        status: 'RECORDED',
      });
      expect((await ask(system, status, { id }, as('bob'))).body.data).toEqual({ interaction: null });
      expect((await ask(system, status, { id })).body.data).toEqual({ interaction: null });
    });

    it('in bulk each input succeeds or fails alone, in order', async () => {
      const { body } = await ask(
        system,
        `mutation ($inputs: [RecordInteractionInput!]!) { recordInteractions(inputs: $inputs) {
          results { interaction { item { id } } userErrors { code field } } } }`,
        {
          inputs: [
            { itemId: item(4), type: 'VIEW' },
            { itemId: 'no such item', type: 'VIEW' },
            { itemId: '', type: 'VIEW' },
            { itemId: item(5), type: 'VIEW', id: randomUUID() },
            { itemId: item(5), type: 'VIEW', occurredAt: '2001-01-01T00:00:00Z' },
            { itemId: item(5), type: 'COMMENT' },
          ],
        },
        as('dora'),
      );
      const results = body.data?.['recordInteractions'];
      expect(results).toMatchObject({
        results: [
          { interaction: { item: { id: item(4) } }, userErrors: [] },
          { interaction: null, userErrors: [{ code: 'ITEM_NOT_FOUND', field: ['inputs', '1', 'itemId'] }] },
          { interaction: null, userErrors: [{ code: 'INVALID_ITEM_ID' }] },
          { interaction: null, userErrors: [{ code: 'INVALID_ID' }] },
          { interaction: null, userErrors: [{ code: 'TIME_TOO_OLD' }] },
          { interaction: { item: { id: item(5) } }, userErrors: [] },
        ],
      });
      await within2s(4, [{ type: 'VIEW', count: 1 }]);
      await within2s(5, [{ type: 'COMMENT', count: 1 }]);
    });

    it('pages follow each other by score, then by id', async () => {
      await Promise.all([6, 7, 8, 9].map((n) => record('eve', { itemId: item(n), type: 'SHARE' })));
      await record('fay', { itemId: item(9), type: 'SHARE' });
      await within2s(9, [{ type: 'SHARE', count: 2 }]);
      await askUntil(
        () => ask(system, POPULAR, { category, window: 'HOUR' }),
        (data) => JSON.stringify(data).includes(item(8)),
        2_000,
      );
      const all = await ask(system, POPULAR, { category, window: 'HOUR' });
      const nodes = nodesOf(all.body.data);
      expect(nodes.map(({ rank }) => rank)).toEqual(nodes.map((_, index) => index + 1));
      const sorted = nodes.toSorted((a, b) => b.score - a.score || (a.item.id < b.item.id ? -1 : 1));
      expect(nodes).toEqual(sorted);
      const paged: unknown[] = [];
      let after: string | null = null;
      do {
        const page = await ask(system, POPULAR, { category, window: 'HOUR', first: 2, after });
        paged.push(...nodesOf(page.body.data));
        after = pageInfoOf(page.body.data).hasNextPage ? pageInfoOf(page.body.data).endCursor : null;
      } while (after !== null);
      expect(paged).toEqual(nodes);
    });

    it('a hidden item is gone from every answer within a second, and comes back', async () => {
      const hide = (hidden: boolean) =>
        ask(
          system,
          `mutation ($ids: [ID!]!, $hidden: Boolean!) { hideItems(ids: $ids, hidden: $hidden) { ids } }`,
          { ids: [item(9)], hidden },
          asAdmin,
        );
      await hide(true);
      await askUntil(
        () => ask(system, POPULAR, { category }),
        (data) => !JSON.stringify(data).includes(item(9)),
        1_000,
      );
      expect((await counts(9)).body.data).toEqual({ item: null });
      const { body } = await record('ann', { itemId: item(9), type: 'VIEW' });
      expect(body).toMatchObject({
        data: { recordInteraction: { interaction: null, userErrors: [{ code: 'ITEM_NOT_FOUND' }] } },
      });
      await hide(false);
      await askUntil(
        () => ask(system, POPULAR, { category }),
        (data) => JSON.stringify(data).includes(item(9)),
        2_000,
      );
    });

    it('a persisted query is registered once and then asked for by GET, publicly cacheable', async () => {
      const query = `{ popularItems(first: 1) { ranking } rankings { name } }`;
      const sha256Hash = createHash('sha256').update(query).digest('hex');
      const extensions = JSON.stringify({ persistedQuery: { version: 1, sha256Hash } });
      const get = (more: Record<string, string> = {}) =>
        fetch(`${system.url}/graphql?${new URLSearchParams({ extensions, ...more }).toString()}`, {
          headers: { 'apollo-require-preflight': 'true' },
        });
      expect(await (await get()).json()).toMatchObject({
        errors: [{ extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } }],
      });
      expect((await get({ query })).status).toBe(200);
      const answer = await get();
      expect(await answer.json()).toMatchObject({
        data: {
          popularItems: { ranking: 'popular' },
          rankings: [{ name: 'popular' }, { name: 'trending' }, { name: 'most-liked' }, { name: 'most-viewed' }],
        },
      });
      expect(answer.headers.get('cache-control')).toMatch(/^public, max-age=\d+/);
    });

    it('a person who is erased takes their share of the counts along', async () => {
      await record('gil', { itemId: item(10), type: 'LIKE' });
      await record('gil', { itemId: item(10), type: 'VIEW' });
      await record('ann', { itemId: item(10), type: 'VIEW' });
      await within2s(10, [
        { type: 'VIEW', count: 2 },
        { type: 'LIKE', count: 1 },
      ]);
      const erased = await ask(
        system,
        `mutation { eraseViewer(userId: "gil") { erasedInteractions userErrors { code } } }`,
        {},
        asAdmin,
      );
      expect(erased.body.data).toEqual({ eraseViewer: { erasedInteractions: 2, userErrors: [] } });
      await within2s(10, [{ type: 'VIEW', count: 1 }]);
      const viewer = await ask(
        system,
        `{ viewer { interactions { nodes { id } } reactions { nodes { type } } } }`,
        {},
        as('gil'),
      );
      expect(viewer.body.data).toEqual({ viewer: { interactions: { nodes: [] }, reactions: { nodes: [] } } });
    });

    it('what only admins may do is FORBIDDEN to others and UNAUTHENTICATED to nobody', async () => {
      const mutation = `mutation { hideItems(ids: ["x"]) { ids } }`;
      expect((await ask(system, mutation, {}, as('ann'))).body.errors?.[0]?.extensions.code).toBe('FORBIDDEN');
      expect((await ask(system, mutation)).body.errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
      const write = await ask(system, RECORD, { input: { itemId: item(0), type: 'VIEW' } });
      expect(write.body.errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    });

    it.each([
      ['{ popularItems(first: 0) { ranking } }', 'BAD_USER_INPUT'],
      ['{ popularItems(first: 101) { ranking } }', 'BAD_USER_INPUT'],
      ['{ popularItems(ranking: "nope") { ranking } }', 'BAD_USER_INPUT'],
      ['{ popularItems(ranking: "trending", window: DAY) { ranking } }', 'BAD_USER_INPUT'],
      ['{ popularItems(after: "%%%") { ranking } }', 'BAD_USER_INPUT'],
      ['{ popularItems(asOf: "2999-01-01T00:00:00Z") { ranking } }', 'BAD_USER_INPUT'],
      ['{ popularItems(window: HOUR, asOf: "2020-01-01T00:00:00Z") { ranking } }', 'BAD_USER_INPUT'],
      ['{ popularItems(asOf: "yesterday") { ranking } }', /BAD_USER_INPUT|GRAPHQL_VALIDATION_FAILED/],
      ['{ nope }', 'GRAPHQL_VALIDATION_FAILED'],
      ['{ popularItems { ...missing } }', 'GRAPHQL_VALIDATION_FAILED'],
      ['{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }', 'GRAPHQL_VALIDATION_FAILED'],
      ['{ popularItems', 'GRAPHQL_PARSE_FAILED'],
    ])('%s is the fault of the client: %s', async (query, code) => {
      const { status, body } = await ask(system, query);
      expect(status).toBe(400);
      expect(body.errors?.[0]?.extensions.code).toMatch(code);
    });

    it('rankings that are applied beside it are followed by every process within 5 s', async () => {
      const path = join(testDirectory('rankings'), 'rankings.json');
      await writeFile(path, await readmeBlock('json', '"bestsellers"'));
      const applied = await runCommand('rankings', system.env, ['apply', path]);
      expect(applied).toEqual({ exitCode: 0, stdout: 'applied: popular, bestsellers\n', stderr: '' });
      const bestsellers = `query ($category: String!) { rankings { name }
        popularItems(ranking: "bestsellers", category: $category) { window nodes { people item { id } } } }`;
      const expected = {
        rankings: [{ name: 'popular' }, { name: 'bestsellers' }],
        popularItems: { window: null, nodes: [{ people: 1, item: { id: item(2) } }] },
      };
      await askUntil(
        () => ask(system, bestsellers, { category }),
        (answer) => JSON.stringify(answer) === JSON.stringify(expected),
        5_000,
      );
    });
  });
}

interface Node {
  readonly rank: number;
  readonly score: number;
  readonly item: { readonly id: string };
}

interface PopularAnswer {
  readonly popularItems: {
    readonly nodes: Node[];
    readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
  };
}

function isPopular(data: unknown): data is PopularAnswer {
  return typeof data === 'object' && data !== null && 'popularItems' in data && data.popularItems !== null;
}

function nodesOf(data: unknown): Node[] {
  if (!isPopular(data)) throw new Error('no popularItems');
  return data.popularItems.nodes;
}

function pageInfoOf(data: unknown): PopularAnswer['popularItems']['pageInfo'] {
  if (!isPopular(data)) throw new Error('no popularItems');
  return data.popularItems.pageInfo;
}
