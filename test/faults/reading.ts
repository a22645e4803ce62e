import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { at, get } from './ask.ts';

export interface Reading {
  /** Milliseconds of each answer, with when it began. */
  readonly exchanges: readonly { readonly startedAtMs: number; readonly ms: number }[];
  readonly faults: readonly string[];
  stop(): Promise<void>;
}

const LIST = `query ($first: Int!, $ranking: String!) {
  popularItems(first: $first, ranking: $ranking) { asOf nodes { rank score item { id title } } } }`;
const RANKINGS = ['popular', 'trending', 'most-liked', 'most-viewed'];

/** People who read lists of every kind and length, so that few answers come from a cache. Nothing is tried again. */
export function startReading(options: {
  readonly url: string;
  readonly random: () => number;
  readonly clients?: number;
  readonly gapMs?: number;
}): Reading {
  const { url, random, clients = 4, gapMs = 30 } = options;
  const exchanges: { startedAtMs: number; ms: number }[] = [];
  const faults: string[] = [];
  let isStopped = false;

  async function client(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!isStopped) {
      const startedAtMs = performance.now();
      const variables = {
        first: 1 + Math.floor(random() * 100),
        ranking: RANKINGS[Math.floor(random() * RANKINGS.length)],
      };
      try {
        const answer = await get(url, { query: LIST, variables }, { agent, headers: {} });
        const list = at(answer.data, 'popularItems') ?? null;
        if (list === null || answer.code !== null) faults.push(`${answer.status}: ${answer.text.slice(0, 300)}`);
        else exchanges.push({ startedAtMs, ms: performance.now() - startedAtMs });
      } catch (error) {
        faults.push(String(error));
      }
      await delay(random() * gapMs);
    }
    agent.destroy();
  }

  const running = Promise.all(Array.from({ length: clients }, () => client()));
  return {
    exchanges,
    faults,
    async stop() {
      isStopped = true;
      await running;
    },
  };
}
