import { PROBE } from './history.ts';
import type { FreshnessProbe } from './loaded-system.ts';

const WRITE = `mutation ProbeWrite($input: RecordInteractionInput!) {
  recordInteraction(input: $input) { interaction { id } userErrors { code } }
}`;
const READ = `query ProbeRead($category: String!) {
  popularItems(first: 1, ranking: "most-viewed", window: DAY, category: $category) { nodes { score } }
}`;

interface Answer {
  readonly data?: {
    readonly recordInteraction?: { readonly userErrors: readonly unknown[] };
    readonly popularItems?: { readonly nodes: readonly { readonly score: number }[] };
  };
}

/** Through the cached list for everybody: a view is seen when `most-viewed` counts it. */
export function groundswellProbe(url: string): FreshnessProbe {
  async function ask(query: string, variables: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query, variables }),
    });
    const answer: Answer = JSON.parse(await response.text());
    if (!answer.data) throw new Error(`the probe was answered with ${response.status}: ${JSON.stringify(answer)}`);
    return answer;
  }
  return {
    item: PROBE.item,
    async write(id, viewer) {
      const input = { id, itemId: PROBE.item, type: 'VIEW' };
      const { data } = await ask(WRITE, { input }, { 'x-device-id': viewer });
      if (data?.recordInteraction?.userErrors.length !== 0) throw new Error('the probe was refused');
    },
    async shown() {
      const { data } = await ask(READ, { category: PROBE.category });
      return data?.popularItems?.nodes[0]?.score ?? 0;
    },
  };
}
