import type { Interaction } from '../../src/interactions/interaction.ts';
import { decodeMessage } from '../../src/interactions/message.ts';
import type { InteractionQueue } from '../../src/interactions/queue.ts';

export interface MemoryQueue extends InteractionQueue {
  readonly published: Interaction[];
  /** How many bodies came with each call. */
  readonly batches: number[];
  /** How long the last caller would have waited. */
  withinMs: number | undefined;
  fault: Error | null;
}

export function createMemoryQueue(): MemoryQueue {
  const queue: MemoryQueue = {
    published: [],
    batches: [],
    withinMs: undefined,
    fault: null,
    async publish(bodies, options) {
      queue.withinMs = options?.withinMs;
      if (queue.fault !== null) throw queue.fault;
      queue.batches.push(bodies.length);
      for (const body of bodies) {
        const decoded = decodeMessage(body);
        if (!decoded.ok) throw new Error(`published what no worker can read: ${decoded.detail}`);
        queue.published.push(decoded.interaction);
      }
    },
  };
  return queue;
}
