import type { DeliverySource, InteractionQueue } from './queue.ts';

/** Traces what is published by what is traced: from here to the broker's confirm, or the commit. */
export function traceQueue(
  name: DeliverySource['name'],
  destination: string,
  queue: InteractionQueue,
): InteractionQueue {
  return {
    publish(bodies, options = {}) {
      const { span = null } = options;
      if (span === null) return queue.publish(bodies, options);
      const attributes = {
        'messaging.system': name === 'rabbitmq' ? 'rabbitmq' : 'groundswell_outbox',
        'messaging.operation.name': 'publish',
        'messaging.operation.type': 'send',
        'messaging.destination.name': destination,
        'messaging.batch.message_count': bodies.length,
      };
      return span.child('producer', `publish ${destination}`, attributes, (child) =>
        queue.publish(bodies, { ...options, span: child }),
      );
    },
  };
}
