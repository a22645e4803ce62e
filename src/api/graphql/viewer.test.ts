import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, ANN, BOB, NOBODY, PHONE, startTestApi, type TestApi } from '../../../test/fakes/test-api.ts';
import { newInteractionIdAt } from '../../interactions/interaction-id.ts';
import type { Interaction, InteractionType } from '../../interactions/interaction.ts';

const START = Date.now() - 600_000;

let api: TestApi;
beforeEach(async () => {
  api = await startTestApi();
});
afterEach(() => api[Symbol.asyncDispose]());

/** What Ann did at `second`. */
function did(second: number, type: InteractionType, itemId: string, retraction = false): Interaction {
  const id = newInteractionIdAt(START + second * 1_000);
  return { id, itemId, viewer: ANN.key ?? '', type, retraction, metadata: null, acceptedAtMs: START };
}

describe('viewer', () => {
  it('is whoever asks', async () => {
    const query = '{ viewer { userId deviceId } }';
    expect((await api.ask(query, { as: ANN })).data).toEqual({ viewer: { userId: 'ann', deviceId: null } });
    expect((await api.ask(query, { as: PHONE })).data).toEqual({ viewer: { userId: null, deviceId: 'p' } });
    expect((await api.ask(query, { as: NOBODY })).data).toEqual({ viewer: null });
  });

  it('sees recorded and accepted interactions as one list, newest first, each once', async () => {
    const done = [did(1, 'VIEW', 'a'), did(2, 'LIKE', 'a'), did(3, 'VIEW', 'b'), did(4, 'SHARE', 'c')];
    const [first, second, third, fourth] = done;
    api.interactions.recorded.push(...[first, third].flatMap((one) => one ?? []));
    await api.pending.add([second, third, fourth].flatMap((one) => one ?? []));
    const query = `query ($after: String) { viewer { interactions(first: 2, after: $after) {
      nodes { id status type item { id } } pageInfo { hasNextPage endCursor } } } }`;
    const page = await api.ask(query, { as: ANN });
    expect(page.data).toMatchObject({
      viewer: {
        interactions: {
          nodes: [
            { id: fourth?.id, status: 'ACCEPTED', type: 'SHARE', item: { id: 'c' } },
            { id: third?.id, status: 'RECORDED' },
          ],
          pageInfo: { hasNextPage: true },
        },
      },
    });
    const { endCursor } = (page.data as { viewer: { interactions: { pageInfo: { endCursor: string } } } }).viewer
      .interactions.pageInfo;
    const rest = await api.ask(query, { as: ANN, variables: { after: endCursor } });
    expect(rest.data).toMatchObject({
      viewer: {
        interactions: {
          nodes: [
            { id: second?.id, status: 'ACCEPTED' },
            { id: first?.id, status: 'RECORDED' },
          ],
          pageInfo: { hasNextPage: false },
        },
      },
    });
    expect((await api.ask(query, { as: BOB })).data).toMatchObject({ viewer: { interactions: { nodes: [] } } });
  });

  it('sees the reactions that stand, accepted likes and retractions applied', async () => {
    api.interactions.recorded.push(
      did(1, 'LIKE', 'a'),
      did(2, 'LIKE', 'b'),
      did(3, 'SAVE', 'b'),
      did(4, 'LIKE', 'd'),
      did(5, 'LIKE', 'd', true),
    );
    const again = did(9, 'LIKE', 'd');
    await api.pending.add([did(6, 'LIKE', 'c'), did(7, 'LIKE', 'b', true), did(8, 'VIEW', 'e'), again]);
    const query = `query ($type: ReactionType, $first: Int!, $after: String) { viewer { reactions(type: $type, first: $first, after: $after) {
      edges { cursor node { type since item { id } } } pageInfo { hasNextPage hasPreviousPage } } } }`;
    const all = await api.ask(query, { as: ANN, variables: { first: 10 } });
    const { edges } = (
      all.data as {
        viewer: { reactions: { edges: { cursor: string; node: { type: string; item: { id: string } } }[] } };
      }
    ).viewer.reactions;
    expect(edges.map(({ node }) => `${node.type} ${node.item.id}`)).toEqual(['LIKE d', 'LIKE c', 'SAVE b', 'LIKE a']);
    const likes = await api.ask(query, { as: ANN, variables: { first: 1, type: 'LIKE', after: edges[1]?.cursor } });
    expect(likes.data).toMatchObject({
      viewer: {
        reactions: {
          edges: [{ node: { item: { id: 'a' }, since: new Date(START + 1_000).toISOString() } }],
          pageInfo: { hasNextPage: false, hasPreviousPage: true },
        },
      },
    });
  });

  it('can go on after a page of reactions that nothing is left of', async () => {
    api.interactions.recorded.push(did(1, 'LIKE', 'a'), did(2, 'LIKE', 'gone'));
    const query = `query ($after: String) { viewer { reactions(first: 1, after: $after) {
      nodes { item { id } } pageInfo { hasNextPage endCursor } } } }`;
    const first = await api.ask(query, { as: ANN });
    expect(first.data).toMatchObject({ viewer: { reactions: { nodes: [], pageInfo: { hasNextPage: true } } } });
    const { endCursor: after } = (first.data as { viewer: { reactions: { pageInfo: { endCursor: string } } } }).viewer
      .reactions.pageInfo;
    const next = await api.ask(query, { as: ANN, variables: { after } });
    expect(next.data).toMatchObject({ viewer: { reactions: { nodes: [{ item: { id: 'a' } }] } } });
  });

  it('does not see hidden items', async () => {
    api.interactions.recorded.push(did(1, 'LIKE', 'a'));
    await api.pending.add([did(2, 'LIKE', 'b'), did(3, 'LIKE', 'c')]);
    await api.useCases.catalogue.hide(['a', 'b'], true);
    const answer = await api.ask('{ viewer { reactions { nodes { item { id } } } } }', { as: ANN });
    expect(answer).toMatchObject({ errors: [], data: { viewer: { reactions: { nodes: [{ item: { id: 'c' } }] } } } });
  });

  it.each([
    'reactions(first: 0)',
    'reactions(first: 101)',
    'interactions(after: "x")',
    'interactions(first: -1)',
    'reactions(after: "")',
  ])('%s is BAD_USER_INPUT', async (field) => {
    const answer = await api.ask(`{ viewer { ${field} { pageInfo { hasNextPage } } } }`, { as: ANN });
    expect(answer.errors.map(({ code }) => code)).toEqual(['BAD_USER_INPUT']);
  });
});

describe('viewerReactions', () => {
  it('show an accepted like at once, for all items with one read', async () => {
    api.interactions.recorded.push(did(1, 'SAVE', 'a'), did(1, 'LIKE', 'b'));
    await api.ask('mutation { recordInteraction(input: { itemId: "a", type: LIKE }) { userErrors { code } } }', {
      as: ANN,
    });
    await api.ask('mutation { retractInteraction(input: { itemId: "b", type: LIKE }) { userErrors { code } } }', {
      as: ANN,
    });
    const query =
      '{ items(ids: ["a", "b", "c"]) { viewerReactions } popularItems(first: 2) { nodes { item { viewerReactions } } } }';
    const answer = await api.ask(query, { as: ANN });
    expect(answer.data).toMatchObject({
      items: [{ viewerReactions: ['LIKE', 'SAVE'] }, { viewerReactions: [] }, { viewerReactions: [] }],
    });
    const items = await api.ask('{ items(ids: ["a", "b", "c"]) { viewerReactions } }', { as: ANN });
    expect(items.errors).toEqual([]);
    expect(api.interactions.calls.reactions.at(-1)).toEqual(['a', 'b', 'c']);
  });

  it('of nobody are empty, without a read', async () => {
    const answer = await api.ask('{ item(id: "a") { viewerReactions } }');
    expect(answer.data).toEqual({ item: { viewerReactions: [] } });
    expect(api.interactions.calls.reactions).toEqual([]);
  });
});

describe('interaction', () => {
  const ask = async (id: string, as = ANN): Promise<unknown> =>
    (await api.ask('query ($id: ID!) { interaction(id: $id) { id status rejectedReason } }', { as, variables: { id } }))
      .data?.['interaction'];

  it('is ACCEPTED, RECORDED or REJECTED with its reason', async () => {
    const [accepted, recorded, rejected] = [did(1, 'VIEW', 'a'), did(2, 'VIEW', 'a'), did(3, 'VIEW', 'a')];
    await api.pending.add([accepted, recorded]);
    api.interactions.recorded.push(recorded);
    api.interactions.rejected.push({ interaction: rejected, reason: 'ITEM_NOT_FOUND' });
    expect(await ask(accepted.id)).toEqual({ id: accepted.id, status: 'ACCEPTED', rejectedReason: null });
    expect(await ask(recorded.id.toUpperCase())).toEqual({ id: recorded.id, status: 'RECORDED', rejectedReason: null });
    expect(await ask(rejected.id)).toEqual({ id: rejected.id, status: 'REJECTED', rejectedReason: 'ITEM_NOT_FOUND' });
  });

  it('is for its own viewer and admins alone', async () => {
    const [accepted, recorded] = [did(1, 'VIEW', 'a'), did(2, 'VIEW', 'a')];
    await api.pending.add([accepted]);
    api.interactions.recorded.push(recorded);
    for (const { id } of [accepted, recorded]) {
      expect(await ask(id, BOB)).toBeNull();
      expect(await ask(id, NOBODY)).toBeNull();
      expect(await ask(id, ADMIN)).toMatchObject({ id });
    }
  });

  it('asked for many times at once is one read', async () => {
    const [recorded, accepted] = [did(1, 'VIEW', 'a'), did(2, 'VIEW', 'b')];
    api.interactions.recorded.push(recorded);
    await api.pending.add([accepted]);
    const ids = [recorded.id, accepted.id, 'nonsense', did(3, 'VIEW', 'a').id, recorded.id.toUpperCase()];
    const query = `{ ${ids.map((id, index) => `i${index}: interaction(id: "${id}") { status item { id } }`).join(' ')} }`;
    expect((await api.ask(query, { as: ANN })).data).toEqual({
      i0: { status: 'RECORDED', item: { id: 'a' } },
      i1: { status: 'ACCEPTED', item: { id: 'b' } },
      i2: null,
      i3: null,
      i4: { status: 'RECORDED', item: { id: 'a' } },
    });
    expect(api.interactions.calls.find).toBe(1);
  });

  it('with an id that is no UUIDv7 is null', async () => {
    expect(await ask('nonsense')).toBeNull();
    expect(await ask('')).toBeNull();
    expect(api.interactions.calls.find).toBe(0);
  });
});
