import { decodeMessage } from '../src/interactions/message.ts';
import type { Interaction } from '../src/interactions/interaction.ts';
import type { PendingWrites } from '../src/interactions/pending-writes.ts';
import type { Delivery, DeliverySource } from '../src/interactions/queue.ts';
import {
  PoisonBatchError,
  type InteractionRecorder,
  type RecordEntry,
  type RecordResult,
  type RejectedEntry,
} from '../src/interactions/recorder.ts';
import { UnavailableError, asError } from '../src/runtime/errors.ts';
import type { Logger } from '../src/runtime/logger.ts';
import type { Metrics } from '../src/runtime/metrics.ts';
import type { InHand } from './in-hand.ts';
import { backoffMs, pause } from './pause.ts';

/** What came back more often may be what crashes workers: it is recorded alone, so that it takes no others with it. */
const MAX_REDELIVERIES_IN_BATCH = 3;
/** Kept in one statement; what cannot be read may be of any size. */
const MAX_REJECTED_BYTES = 16 * 1024 * 1024;
/** An error of no known kind is tried so often before the rows are suspected. */
const TRIES_OF_UNKNOWN = 4;

export interface BatchRecorderOptions {
  readonly recorder: InteractionRecorder;
  readonly pending: Pick<PendingWrites, 'remove'>;
  readonly metrics: Metrics;
  readonly inHand: InHand;
  readonly logger: Logger;
  /** Once aborted, nothing is tried again: what is not recorded goes back to its queue. */
  readonly signal: AbortSignal;
}

interface Item<D> {
  readonly delivery: D;
  readonly entry: RecordEntry;
}

interface Rejected<D> {
  readonly delivery: D;
  readonly entry: RejectedEntry;
}

/**
 * Records deliveries and acknowledges each after the transaction that holds it, or the reason why it was rejected, has
 * committed. Never rejects: what cannot be recorded for now is tried until it is, or handed back when the worker stops.
 */
export function createBatchRecorder(options: BatchRecorderOptions) {
  const { recorder, pending, metrics, inHand, logger, signal } = options;
  const counters = {
    recorded: metrics.recorded.labels('recorded'),
    duplicate: metrics.recorded.labels('duplicate'),
    discarded: metrics.recorded.labels('discarded'),
    rejected: metrics.recorded.labels('rejected'),
  };

  // A rate sees a counter grow only from a value that was there before.
  for (const kind of ['poison', 'transient']) metrics.recordFailures.inc({ kind }, 0);

  return async function recordBatch<D extends Delivery>(
    source: Pick<DeliverySource<D>, 'name' | 'ack' | 'requeue'>,
    deliveries: readonly D[],
  ): Promise<void> {
    const batch: Item<D>[] = [];
    const suspects: Item<D>[] = [];
    const unreadable: Rejected<D>[] = [];
    for (const delivery of deliveries) {
      const { body, outboxSeq } = delivery;
      const decoded = decodeMessage(body);
      if (!decoded.ok) {
        const { reason, detail } = decoded;
        unreadable.push({ delivery, entry: { body, outboxSeq, reason, detail, interaction: null } });
      } else {
        const item = { delivery, entry: { interaction: decoded.interaction, body, outboxSeq } };
        (delivery.redeliveries > MAX_REDELIVERIES_IN_BATCH ? suspects : batch).push(item);
      }
    }
    let oldestMs = Infinity;
    for (const { entry } of [...batch, ...suspects]) oldestMs = Math.min(oldestMs, entry.interaction.acceptedAtMs);
    const settled = inHand.take(source.name, oldestMs);
    try {
      const [beside = [], ...more] = inSlices(unreadable, MAX_REJECTED_BYTES);
      await (batch.length > 0 ? record(batch, beside) : reject(beside));
      for (const slice of more) await reject(slice);
      for (const suspect of suspects) await record([suspect]);
    } finally {
      settled();
    }

    /** `beside`: kept in the same transaction, for one of their own is a commit more in each batch. */
    async function record(items: readonly Item<D>[], beside: readonly Rejected<D>[] = []): Promise<void> {
      const entries = items.map(({ entry }) => entry);
      const rejected = beside.map(({ entry }) => entry);
      const settles = [...items, ...beside].map(({ delivery }) => delivery);
      const startedAtMs = performance.now();
      const outcome = await untilSettled(async () => recorder.record(entries, rejected));
      if (outcome.kind === 'stopped') return source.requeue(settles);
      if (outcome.kind === 'poison') {
        metrics.recordFailures.inc({ kind: 'poison' });
        await reject(beside);
        const [only] = items;
        if (items.length === 1 && only !== undefined) return rejectPoison(only, outcome.error);
        const middle = Math.ceil(items.length / 2);
        await record(items.slice(0, middle));
        return record(items.slice(middle));
      }
      metrics.recordBatchDuration.observe((performance.now() - startedAtMs) / 1_000);
      metrics.recordBatchSize.observe(items.length);
      source.ack(settles);
      countResult(items, outcome.value);
      // The preview of one may have been made after its person's were forgotten.
      forgetPending([...rejectedOnes(outcome.value.rejected), ...outcome.value.discarded]);
    }

    async function rejectPoison({ delivery, entry }: Item<D>, error: Error): Promise<void> {
      logger.error({ error, interactionId: entry.interaction.id }, 'an interaction cannot be recorded: it is rejected');
      await reject([{ delivery, entry: { ...entry, reason: 'RECORD_FAILED', detail: error.message } }]);
    }

    async function reject(items: readonly Rejected<D>[]): Promise<void> {
      if (items.length === 0) return;
      const entries = items.map(({ entry }) => entry);
      // Any row may be rejected, so whatever goes wrong here is no row's fault.
      const outcome = await untilSettled(async () => recorder.reject(entries), Number.POSITIVE_INFINITY);
      if (outcome.kind !== 'done') return source.requeue(items.map(({ delivery }) => delivery));
      source.ack(items.map(({ delivery }) => delivery));
      countRejected(entries);
      forgetPending(rejectedOnes(entries));
    }
  };

  type Outcome<T> =
    | { readonly kind: 'done'; readonly value: T }
    | { readonly kind: 'poison'; readonly error: Error }
    | { readonly kind: 'stopped' };

  async function untilSettled<T>(work: () => Promise<T>, triesOfUnknown = TRIES_OF_UNKNOWN): Promise<Outcome<T>> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return { kind: 'done', value: await work() };
      } catch (error) {
        if (error instanceof PoisonBatchError) return { kind: 'poison', error };
        if (!(error instanceof UnavailableError)) {
          logger.error({ error, attempt }, 'recording failed for a reason unknown');
          if (attempt + 1 >= triesOfUnknown) return { kind: 'poison', error: asError(error) };
        } else if (attempt === 0) {
          logger.warn({ error }, 'recording failed: trying again until it works');
        }
        metrics.recordFailures.inc({ kind: 'transient' });
      }
      await pause(backoffMs(attempt), signal);
      if (signal.aborted) return { kind: 'stopped' };
    }
  }

  function countResult(items: readonly Item<Delivery>[], result: RecordResult): void {
    counters.recorded.inc(result.recorded);
    counters.duplicate.inc(result.duplicates);
    counters.discarded.inc(result.discarded.length);
    countRejected(result.rejected);
    // Any of them may be what another worker has recorded.
    if (result.skipped > 0) return;
    const isAllNew = result.recorded === items.length;
    const unrecorded = new Set([...rejectedOnes(result.rejected), ...result.discarded]);
    const nowMs = Date.now();
    for (const { delivery, entry } of items) {
      const { interaction } = entry;
      // One that came again was perhaps recorded the first time: its age would be that of the redelivery. What its client sent
      // again has an age of its own.
      if ((!isAllNew && delivery.redeliveries > 0) || unrecorded.has(interaction)) continue;
      metrics.freshness.observe(Math.max(0, nowMs - interaction.acceptedAtMs) / 1_000);
    }
  }

  function countRejected(entries: readonly RejectedEntry[]): void {
    if (entries.length === 0) return;
    counters.rejected.inc(entries.length);
    for (const { reason } of entries) metrics.rejected.inc({ reason });
  }

  /** Not waited for: it never fails, and the place belongs to the next batch. */
  function forgetPending(interactions: readonly Interaction[]): void {
    if (interactions.length > 0) void pending.remove(interactions);
  }
}

function rejectedOnes(entries: readonly RejectedEntry[]): Interaction[] {
  return entries.flatMap(({ interaction }) => interaction ?? []);
}

/** In order, each of at most so many bytes or of one alone. */
function inSlices<R extends Rejected<unknown>>(rejected: readonly R[], maxBytes: number): R[][] {
  const slices: R[][] = [];
  let bytes = Infinity;
  for (const one of rejected) {
    bytes += one.entry.body.byteLength;
    if (bytes > maxBytes) {
      slices.push([]);
      bytes = one.entry.body.byteLength;
    }
    slices.at(-1)?.push(one);
  }
  return slices;
}
