import { createHash } from 'node:crypto';
import { newInteractionId } from '../../src/interactions/interaction-id.ts';
import type { Stack } from '../stack/stack.ts';

const POPULAR =
  'query PopularItems($first: Int!) { popularItems(first: $first) { asOf nodes { people item { id title } } } }';
const POPULAR_HASH = createHash('sha256').update(POPULAR).digest('hex');
const PAST = 'query History($asOf: DateTime!) { popularItems(asOf: $asOf, types: [LIKE]) { nodes { score } } }';
const MINE = 'query Mine($first: Int!) { viewer { interactions(first: $first) { nodes { id } } } }';
const RECORD = `mutation RecordInteraction($input: RecordInteractionInput!) {
  recordInteraction(input: $input) { interaction { id } userErrors { code } } }`;
const ITEMS =
  'mutation Items($items: [ItemInput!]!) { upsertItems(items: $items) { items { id } userErrors { code } } }';

const HOUR_MS = 3_600_000;

/** What clients do, one request each. They resolve to the status, 0 for no answer: faults are to be expected here. */
export interface Clients {
  /** A persisted query whose answer most often comes from the cache. */
  popular(): Promise<number>;
  past(): Promise<number>;
  /** Never cached. */
  mine(): Promise<number>;
  like(itemId: string): Promise<number>;
  items(ids: readonly string[]): Promise<number>;
  /** Some of everything, a few times a second, until it is disposed of. */
  steadily(): AsyncDisposable;
}

export async function createClients(stack: Stack): Promise<Clients> {
  const [user, admin] = [await stack.token('ann'), await stack.token('root', 'admin')];
  const [api] = stack.apis;
  if (api === undefined) throw new Error('the stack has no API');

  async function post(url: string, body: object, token = user): Promise<number> {
    try {
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(20_000),
      });
      await response.arrayBuffer();
      return response.status;
    } catch {
      return 0;
    }
  }

  const extensions = { persistedQuery: { version: 1, sha256Hash: POPULAR_HASH } };
  const clients: Clients = {
    popular: () => post(api.url, { extensions, variables: { first: 10 } }),
    // Another hour each time: another question, past every cache.
    past: () => {
      const asOf = new Date(Date.now() - Math.ceil(Math.random() * 500) * HOUR_MS).toISOString();
      return post(api.url, { query: PAST, variables: { asOf } });
    },
    mine: () => post(api.url, { query: MINE, variables: { first: 10 } }),
    like: (itemId) =>
      post(api.url, { query: RECORD, variables: { input: { itemId, type: 'VIEW', id: newInteractionId() } } }),
    items: (ids) =>
      post(stack.url, { query: ITEMS, variables: { items: ids.map((id) => ({ id, title: id })) } }, admin),
    steadily() {
      const under = new Set<Promise<unknown>>();
      let count = 0;
      const timer = setInterval(() => {
        count += 1;
        const work = [clients.like(`item-${count % 20}`), clients.popular(), clients.mine()];
        if (count % 5 === 0)
          work.push(clients.past(), post(stack.url, { query: POPULAR, variables: { first: count } }));
        for (const one of work) {
          under.add(one);
          void one.finally(() => under.delete(one));
        }
      }, 200);
      return {
        async [Symbol.asyncDispose]() {
          clearInterval(timer);
          await Promise.all(under);
        },
      };
    },
  };
  // From now on the hash alone is enough.
  await post(api.url, { query: POPULAR, extensions, variables: { first: 10 } });
  return clients;
}

/** `concurrency` of them all the time until `done` resolves. */
export async function together(
  concurrency: number,
  work: (index: number) => Promise<unknown>,
  done: Promise<unknown>,
): Promise<void> {
  let isDone = false;
  const ending = done.finally(() => (isDone = true));
  await Promise.all([
    ending,
    ...Array.from({ length: concurrency }, async (_, index) => {
      while (!isDone) await work(index);
    }),
  ]);
}
