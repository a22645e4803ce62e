import { connect } from 'amqplib';
import { encodeMessage } from '../../src/interactions/message.ts';
import type { Interaction } from '../../src/interactions/interaction.ts';
import { viewerKeyOf } from '../../src/interactions/viewer-key.ts';
import type { Sent } from './ledger.ts';
import { QUEUE } from './system-under-fault.ts';

/** As many as the API puts into one message. */
const PER_MESSAGE = 32;

/** As an accepted one is kept. */
export function bodyOf(sent: Sent & Pick<Interaction, 'type'>, metadata: Interaction['metadata'] = null): Buffer {
  const { id, item: itemId, type, retraction, viewer } = sent;
  return encodeMessage({
    id,
    itemId,
    viewer: viewerOf(viewer),
    type,
    retraction,
    metadata,
    acceptedAtMs: Date.now(),
  });
}

const viewers = new Map<string, string>();

/** Their key, made once: the same few people send most of what there is. */
export function viewerOf(deviceId: string): string {
  let viewer = viewers.get(deviceId);
  if (viewer === undefined) viewers.set(deviceId, (viewer = viewerKeyOf({ deviceId })));
  return viewer;
}

/** Straight into the queue, past the API. Resolves when the broker has confirmed all. */
export async function publishBodies(url: string, bodies: readonly Buffer[], perMessage = PER_MESSAGE): Promise<void> {
  const connection = await connect(url);
  try {
    const channel = await connection.createConfirmChannel();
    for (let from = 0; from < bodies.length; from += perMessage) {
      const lines = bodies.slice(from, from + perMessage).flatMap((body) => [body, Buffer.from('\n')]);
      channel.publish(QUEUE, QUEUE, Buffer.concat(lines.slice(0, -1)), {
        persistent: true,
        mandatory: true,
        contentType: perMessage === 1 ? 'application/json' : 'application/x-ndjson',
      });
    }
    await channel.waitForConfirms();
  } finally {
    await connection.close();
  }
}
