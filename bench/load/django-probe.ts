import { PROBE } from './history.ts';
import type { FreshnessProbe } from './loaded-system.ts';

/** Through the guide's two views. */
export function djangoProbe(url: string): FreshnessProbe {
  return {
    item: PROBE.item,
    async write(id, viewer) {
      const response = await fetch(`${url}/interactions/`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id, item: PROBE.item, viewer, type: 'VIEW' }),
      });
      if (response.status !== 202) throw new Error(`the probe was answered with ${response.status}`);
    },
    async shown() {
      const response = await fetch(`${url}/popular/?category=${PROBE.category}`);
      const answer: { readonly items: readonly { readonly interactions: number }[] } = JSON.parse(
        await response.text(),
      );
      return answer.items[0]?.interactions ?? 0;
    },
  };
}
