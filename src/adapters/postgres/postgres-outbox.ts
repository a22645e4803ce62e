import type { Delivery, DeliverySource, InteractionQueue } from '../../interactions/queue.ts';
import { traceparentOf, withTraceparent } from '../../interactions/message.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { UnavailableError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Database } from './prisma-database.ts';

/** Above any pause of a Postgres that is well. */
const DEFAULT_DEADLINE_MS = 5_000;

/** The outbox table as the queue: durable when its transaction commits. */
export function createOutboxQueue(database: Database, deadlineMs: number = DEFAULT_DEADLINE_MS): InteractionQueue {
  return {
    async publish(bodies, { span = null, withinMs = Infinity } = {}) {
      const kept = span === null ? bodies : bodies.map((body) => withTraceparent(body, span.traceparent));
      const insert = (): Promise<number> =>
        database.primary(
          (client) => client.$executeRaw`
            INSERT INTO outbox (body) SELECT decode(body, 'base64')
            FROM unnest(${kept.map((body) => body.toString('base64'))}::text[]) AS input (body)`,
        );
      // A frozen Postgres would hold the client for ever.
      const durable = span === null ? insert() : span.within(insert);
      await withDeadline(durable, Math.min(deadlineMs, withinMs), 'Postgres');
    },
  };
}

/** A longer outbox is measured from its first to its last number. */
const MAX_COUNTED = 10_000;

export interface OutboxSourceOptions {
  readonly database: Database;
  /** How many unsettled rows may be out at a time. */
  readonly prefetch: number;
  /** How long to wait when the outbox was found empty. */
  readonly pollMs: number;
  readonly logger: Logger;
}

interface Out {
  readonly delivery: Delivery;
  attempts: number;
}

/**
 * Hands out the oldest rows without holding them; the recorder deletes them in its transaction, and skips those that
 * another worker holds or has recorded. So there is nothing to acknowledge here, only to forget.
 */
export function createOutboxSource({ database, prefetch, pollMs, logger }: OutboxSourceOptions): DeliverySource {
  const out = new Map<bigint, Out>();
  const returned = new Map<bigint, number>();
  let stopped = false;
  let well = false;
  let wake: (() => void) | undefined;
  let running: Promise<void> | undefined;

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async function fetchRows(): Promise<{ seq: bigint; body: Uint8Array }[]> {
    const room = prefetch - out.size;
    if (room <= 0) return [];
    return database.primary(
      (client) => client.$queryRaw<{ seq: bigint; body: Uint8Array }[]>`
        SELECT seq, body FROM outbox WHERE seq <> ALL(${[...out.keys()]}::bigint[]) ORDER BY seq LIMIT ${room}`,
    );
  }

  async function loop(onDelivery: (delivery: Delivery) => void, onFull: () => void): Promise<void> {
    while (!stopped) {
      let found = 0;
      try {
        const rows = await fetchRows();
        well = true;
        found = rows.length;
        for (const { seq, body } of rows) {
          if (stopped) break;
          const redeliveries = returned.get(seq) ?? 0;
          returned.delete(seq);
          const delivery = { body, redeliveries, outboxSeq: seq, traceparent: traceparentOf(body) };
          out.set(seq, { delivery, attempts: redeliveries });
          onDelivery(delivery);
        }
        if (found > 0 && out.size >= prefetch) onFull();
      } catch (error) {
        if (well || !(error instanceof UnavailableError)) logger.warn({ error }, 'the outbox cannot be read');
        well = false;
      }
      if (!stopped && found === 0) await pause(pollMs);
    }
  }

  async function stop(withinMs: number): Promise<void> {
    stopped = true;
    wake?.();
    // What hangs in Postgres brings nothing more.
    if (running !== undefined) await withDeadline(running, withinMs, 'Postgres').catch(() => undefined);
    well = false;
  }

  return {
    name: 'outbox',
    async start(onDelivery, onFull) {
      running = loop(onDelivery, onFull);
    },
    ack(deliveries) {
      for (const { outboxSeq } of deliveries) if (outboxSeq !== null) out.delete(outboxSeq);
      if (out.size < prefetch) wake?.();
    },
    requeue(deliveries) {
      for (const { outboxSeq } of deliveries) {
        if (outboxSeq === null) continue;
        const entry = out.get(outboxSeq);
        if (entry === undefined) continue;
        out.delete(outboxSeq);
        returned.set(outboxSeq, entry.attempts + 1);
      }
    },
    stop,
    async close() {
      await stop(0);
      out.clear();
    },
    ready: () => well,
    async backlog() {
      // By the key: a scan of the table would read all that was deleted and is not vacuumed yet.
      const [row] = await database.primary(
        (client) => client.$queryRaw<{ counted: number; span: number; oldest: Uint8Array | null }[]>`
          SELECT (SELECT count(*) FROM (SELECT FROM outbox ORDER BY seq LIMIT ${MAX_COUNTED}) AS oldest)::int AS counted,
            (SELECT coalesce(max(seq) - min(seq) + 1, 0) FROM outbox)::float8 AS span,
            (SELECT body FROM outbox ORDER BY seq LIMIT 1) AS oldest`,
      );
      if (row === undefined) throw new UnavailableError('the outbox cannot be measured');
      return { depth: row.counted < MAX_COUNTED ? row.counted : row.span, oldest: row.oldest };
    },
  };
}
