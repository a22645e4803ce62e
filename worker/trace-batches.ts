import type { Delivery, DeliverySource } from '../src/interactions/queue.ts';
import type { Tracing } from '../src/runtime/tracing.ts';

type RecordBatch = <D extends Delivery>(
  source: Pick<DeliverySource<D>, 'name' | 'ack' | 'requeue'>,
  deliveries: readonly D[],
) => Promise<void>;

/** Traces a batch when any delivery in it comes from something traced: to the commit and the acknowledgement. */
export function traceBatches(tracing: Tracing, recordBatch: RecordBatch): RecordBatch {
  return (source, deliveries) => {
    const origins = deliveries.flatMap(({ traceparent }) => traceparent ?? []);
    if (origins.length === 0) return recordBatch(source, deliveries);
    const attributes = {
      'messaging.system': source.name === 'rabbitmq' ? 'rabbitmq' : 'groundswell_outbox',
      'messaging.operation.name': 'record',
      'messaging.operation.type': 'process',
      'messaging.batch.message_count': deliveries.length,
    };
    return tracing.batch('record batch', origins, attributes, () => recordBatch(source, deliveries));
  };
}
