import { createHash } from 'node:crypto';
import { probedCategory, PROBED_TOGETHER } from './history.ts';
import type { FreshnessProbe } from './loaded-system.ts';

const WRITE = `mutation ProbeWrite($input: RecordInteractionInput!) {
  recordInteraction(input: $input) { interaction { id } userErrors { code } }
}`;
const READ = `query ProbeRead($category: String!) {
  popularItems(first: ${PROBED_TOGETHER}, ranking: "most-viewed", window: DAY, category: $category) { nodes { item { id } } }
}`;

interface Answer {
  readonly data?: {
    readonly recordInteraction?: { readonly userErrors: readonly unknown[] };
    readonly popularItems?: { readonly nodes: readonly { readonly item: { readonly id: string } }[] };
  };
}

/** As the web page reads, through whatever caches are on the way: a view is seen when `most-viewed` has its item. */
export function groundswellProbe(url: string): FreshnessProbe {
  const sha256Hash = createHash('sha256').update(READ).digest('hex');
  const extensions = JSON.stringify({ persistedQuery: { version: 1, sha256Hash } });
  const get = (parameters: Record<string, string>): Promise<Answer> =>
    ask(`${url}/graphql?${new URLSearchParams(parameters).toString()}`, {
      headers: { 'apollo-require-preflight': 'true' },
    });
  return {
    async write(id, viewer, item) {
      const { data } = await ask(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-device-id': viewer },
        body: JSON.stringify({ query: WRITE, variables: { input: { id, itemId: item, type: 'VIEW' } } }),
      });
      if (data?.recordInteraction?.userErrors.length !== 0) throw new Error('the probe was refused');
    },
    async shows(item) {
      const persisted = { variables: JSON.stringify({ category: probedCategory(item) }), extensions };
      const known = await get(persisted);
      const answer = known.data ? known : await get({ ...persisted, query: READ });
      if (!answer.data?.popularItems) throw new Error(`the probe was answered with ${JSON.stringify(answer)}`);
      return answer.data.popularItems.nodes.some((node) => node.item.id === item);
    },
  };
}

async function ask(url: string, request: RequestInit): Promise<Answer> {
  const response = await fetch(url, request);
  const answer: Answer = JSON.parse(await response.text());
  return answer;
}
