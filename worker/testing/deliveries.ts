import { newInteractionId } from '../../src/interactions/interaction-id.ts';
import type { Interaction } from '../../src/interactions/interaction.ts';
import { encodeMessage } from '../../src/interactions/message.ts';
import type { Delivery, DeliverySource } from '../../src/interactions/queue.ts';
import { viewerKeyOf } from '../../src/interactions/viewer-key.ts';

export function interaction(itemId: string): Interaction {
  return {
    id: newInteractionId(),
    itemId,
    viewer: viewerKeyOf({ userId: 'somebody' }),
    type: 'VIEW',
    retraction: false,
    metadata: null,
    acceptedAtMs: Date.now(),
  };
}

export function delivery(itemId: string, redeliveries = 0): Delivery {
  return { body: encodeMessage(interaction(itemId)), redeliveries, outboxSeq: null, traceparent: null };
}

export interface MemorySource extends DeliverySource {
  readonly acked: Delivery[];
  readonly requeued: Delivery[];
  readonly events: string[];
  deliver(...deliveries: Delivery[]): void;
}

/** A source that hands out what the test gives it and keeps what becomes of it. */
export function memorySource(): MemorySource {
  const acked: Delivery[] = [];
  const requeued: Delivery[] = [];
  const events: string[] = [];
  let hand: ((delivery: Delivery) => void) | undefined;
  return {
    name: 'outbox',
    acked,
    requeued,
    events,
    deliver: (...deliveries) => deliveries.forEach((one) => hand?.(one)),
    async start(onDelivery) {
      hand = onDelivery;
    },
    ack: (deliveries) => void acked.push(...deliveries),
    requeue: (deliveries) => void requeued.push(...deliveries),
    async stop() {
      events.push('stop');
      hand = undefined;
    },
    async close() {
      events.push(`close after ${acked.length} acknowledged`);
    },
    ready: () => hand !== undefined,
    backlog: async () => ({ depth: 0, oldest: null }),
  };
}
