import { probedCategory, PROBED_TOGETHER } from './history.ts';
import type { FreshnessProbe } from './loaded-system.ts';

/** Through the guide's two views. */
export function djangoProbe(url: string): FreshnessProbe {
  return {
    async write(id, viewer, item) {
      const response = await fetch(`${url}/interactions/`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id, item, viewer, type: 'VIEW' }),
      });
      if (response.status !== 202) throw new Error(`the probe was answered with ${response.status}`);
    },
    async shows(item) {
      const response = await fetch(`${url}/popular/?category=${probedCategory(item)}&limit=${PROBED_TOGETHER}`);
      const answer: { readonly items: readonly { readonly id: string }[] } = JSON.parse(await response.text());
      return answer.items.some(({ id }) => id === item);
    },
  };
}
