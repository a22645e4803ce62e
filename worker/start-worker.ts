import type { Delivery, DeliverySource } from '../src/interactions/queue.ts';
import type { Ports } from '../src/ports.ts';
import type { Logger } from '../src/runtime/logger.ts';
import type { Metrics } from '../src/runtime/metrics.ts';
import { noTracing, type Tracing } from '../src/runtime/tracing.ts';
import { createBatcher, type Batcher } from './batcher.ts';
import { maintain } from './maintain.ts';
import { createInHand } from './in-hand.ts';
import { createBatchRecorder } from './record-batch.ts';
import { refreshStandings } from './refresh-standings.ts';
import { replayNewer } from './replay-newer.ts';
import { sampleBacklog } from './sample-backlog.ts';
import { traceBatches } from './trace-batches.ts';

export type WorkerPorts = Pick<
  Ports,
  'recorder' | 'pending' | 'rejected' | 'standings' | 'maintenance' | 'createSources'
>;

export interface WorkerOptions {
  readonly batch: { readonly maxItems: number; readonly maxWaitMs: number };
  readonly maxAgeDays: number;
  readonly retentionDays: number;
  /** What is in hand when the worker stops gets so long to be recorded; then it goes back to its queue. */
  readonly drainMs: number;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracing?: Tracing;
}

export interface Worker {
  /** Null when deliveries can come from every queue, else which cannot. */
  fault(): string | null;
  /** Takes no more deliveries, records what is in hand, acknowledges it and closes the queues. Not the other ports. */
  stop(): Promise<void>;
}

/** Drains every queue into the recorder, keeps the standings fresh and the tables in order. Beside the API or alone. */
export async function startWorker(ports: WorkerPorts, options: WorkerOptions): Promise<Worker> {
  const { batch, drainMs, logger, metrics, tracing = noTracing } = options;
  const sources = ports.createSources();
  const stopping = new AbortController();
  const givingUp = new AbortController();
  const inHand = createInHand();
  const recordBatch = traceBatches(
    tracing,
    createBatchRecorder({ ...ports, metrics, inHand, logger, signal: givingUp.signal }),
  );
  const batchers: Batcher<Delivery>[] = [];
  let stopped: Promise<void> | undefined;

  for (const source of sources) batchers.push(await consume(source));
  const loops = Promise.all([
    refreshStandings({
      ...ports,
      metrics,
      logger,
      isQueueBehind: () => batchers.some((batcher) => batcher.isBehind()),
      oldestInHandMs: () => Math.min(...sources.map(({ name }) => inHand.oldestMs(name))),
      signal: stopping.signal,
    }),
    maintain({ ...ports, ...options, signal: stopping.signal }),
    replayNewer({ ...ports, logger, signal: stopping.signal }),
    sampleBacklog({ ...ports, sources, inHand, metrics, logger, signal: stopping.signal }),
  ]);

  async function consume(source: DeliverySource): Promise<Batcher<Delivery>> {
    const batcher = createBatcher<Delivery>({ ...batch, flush: async (deliveries) => recordBatch(source, deliveries) });
    await source.start(
      (delivery) => batcher.add(delivery),
      () => batcher.hurry(),
      () => batcher.forget(),
    );
    return batcher;
  }

  async function stop(): Promise<void> {
    stopping.abort();
    const giveUp = setTimeout(() => {
      logger.warn({ drainMs }, 'not everything in hand could be recorded in time: it goes back to its queue');
      givingUp.abort();
    }, drainMs);
    await Promise.all(sources.map(async (source) => source.stop(drainMs)));
    await Promise.all(batchers.map(async (batcher) => batcher.drain()));
    clearTimeout(giveUp);
    await Promise.all(sources.map(async (source) => source.close()));
    await loops;
    logger.info('the worker has stopped');
  }

  return {
    fault() {
      if (stopped !== undefined) return 'stopping';
      const away = sources.filter((source) => !source.ready()).map(({ name }) => name);
      return away.length === 0 ? null : `no deliveries from ${away.join(', ')}`;
    },
    stop: () => (stopped ??= stop()),
  };
}
