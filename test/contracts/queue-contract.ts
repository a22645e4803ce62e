import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Delivery, DeliverySource, InteractionQueue } from '../../src/interactions/queue.ts';
import { UnavailableError } from '../../src/runtime/errors.ts';
import { waitFor } from '../servers/wait-for.ts';

export interface QueueUnderTest {
  readonly queue: InteractionQueue;
  /** Another consumer of the same queue. */
  createSource(options: { prefetch: number }): DeliverySource;
  /** What a worker commits ahead of the acknowledgement. */
  commit(deliveries: readonly Delivery[]): Promise<void>;
  /** The queue takes nothing from here on. */
  closeQueue(): Promise<void>;
  /** Ends whatever setup started; safe after closeQueue. */
  dispose(): Promise<void>;
}

/** What every queue promises to the API (publish) and to workers (deliveries). `setup` gives a new, empty queue. */
export function describeQueueContract(name: string, setup: () => Promise<QueueUnderTest>): void {
  describe(`the queue contract: ${name}`, () => {
    let subject: QueueUnderTest;
    let sources: DeliverySource[];

    beforeEach(async () => {
      sources = [];
      subject = await setup();
    });
    afterEach(async () => {
      for (const source of sources) await source.close();
      await subject.dispose();
    });

    /** A consumer, and all that it was handed so far. */
    async function consume(
      prefetch = 4_000,
    ): Promise<{ source: DeliverySource; got: Delivery[]; fulls: () => number }> {
      const source = subject.createSource({ prefetch });
      sources.push(source);
      const got: Delivery[] = [];
      let fulls = 0;
      await source.start(
        (delivery) => got.push(delivery),
        () => (fulls += 1),
      );
      return { source, got, fulls: () => fulls };
    }
    async function settle(source: DeliverySource, deliveries: readonly Delivery[]): Promise<void> {
      await subject.commit(deliveries);
      source.ack(deliveries);
    }
    /** Apart: what is published together may travel, and come back, together. */
    async function publishEach(bodies: readonly Buffer[]): Promise<void> {
      for (const body of bodies) await subject.queue.publish([body]);
    }
    /** Everything still in the queue, by an end marker: queues keep no order, so all of `count` must come. */
    async function remaining(): Promise<string[]> {
      await subject.queue.publish([Buffer.from('end')]);
      const { source, got } = await consume();
      await waitFor('the end marker', () => textsOf(got).includes('end'));
      await settle(source, got);
      await source.close();
      return textsOf(got).filter((text) => text !== 'end');
    }

    it('delivers what was published, byte for byte, once', async () => {
      const { source, got } = await consume();
      const bodies = [Buffer.from('plain'), Buffer.from([0, 255, 254, 10, 0]), Buffer.from('{"title":"Ærø ✓"}')];
      await subject.queue.publish(bodies);
      await waitFor('all deliveries', () => got.length === bodies.length);
      expect(got.map(({ body }) => Buffer.from(body).toString('hex')).toSorted()).toEqual(
        bodies.map((body) => body.toString('hex')).toSorted(),
      );
      expect(got.map(({ redeliveries }) => redeliveries)).toEqual([0, 0, 0]);
      await settle(source, got);
      await source.close();
      expect(await remaining()).toEqual([]);
    });

    it('delivers what was published before anybody consumed', async () => {
      await subject.queue.publish([Buffer.from('early')]);
      const { got } = await consume();
      await waitFor('the delivery', () => got.length === 1);
    });

    it('publishes nothing at all without a fault', async () => {
      await subject.queue.publish([]);
      expect(await remaining()).toEqual([]);
    });

    it('carries a body of 64 KiB', async () => {
      const body = randomBytes(64 * 1024);
      await subject.queue.publish([body]);
      const { got } = await consume();
      await waitFor('the delivery', () => got.length === 1);
      expect(got.map((delivery) => Buffer.compare(body, delivery.body))).toEqual([0]);
    });

    it('hands out again what was not settled when the consumer ended', async () => {
      await publishEach([Buffer.from('settled'), Buffer.from('not settled')]);
      const first = await consume();
      await waitFor('both deliveries', () => first.got.length === 2);
      await settle(
        first.source,
        first.got.filter(({ body }) => textOf(body) === 'settled'),
      );
      await first.source.close();
      expect(await remaining()).toEqual(['not settled']);
    });

    it('hands out again what was given back, and counts it', async () => {
      await subject.queue.publish([Buffer.from('again')]);
      const { source, got } = await consume();
      for (let round = 1; round <= 3; round += 1) {
        await waitFor(`delivery ${round}`, () => got.length === round);
        source.requeue(got.slice(-1));
      }
      await waitFor('delivery 4', () => got.length === 4);
      expect(got.map(({ redeliveries }) => redeliveries)).toEqual([0, 1, 2, 3]);
      await settle(source, got.slice(-1));
      await source.close();
      expect(await remaining()).toEqual([]);
    });

    it('has at most the prefetch out at a time, and hands out more as they are settled', async () => {
      await publishEach(numbered(25));
      const { source, got } = await consume(10);
      let settled = 0;
      while (settled < 25) {
        await waitFor('more deliveries', () => got.length > settled);
        expect(got.length - settled).toBeLessThanOrEqual(10);
        const batch = got.slice(settled);
        settled = got.length;
        await settle(source, batch);
      }
      expect(new Set(textsOf(got)).size).toBe(25);
    });

    it('says when it hands out no more until some are settled', async () => {
      await publishEach(ofOneItem(3));
      const few = await consume(1);
      await waitFor('the first delivery', () => few.got.length === 1 && few.fulls() === 1);
      await settle(few.source, few.got);
      await waitFor('the second delivery', () => few.got.length === 2 && few.fulls() === 2);
      await few.source.close();
      const many = await consume(1_000);
      await waitFor('the others', () => many.got.length === 2);
      expect(many.fulls()).toBe(0);
    });

    it('tells how much waits, and shows the oldest or nothing', async () => {
      await publishEach(ofOneItem(5));
      const { source, got } = await consume(1);
      await waitFor('a delivery', () => got.length === 1);
      // What is handed out is still in the outbox, and no longer in a broker's queue.
      await waitFor('the backlog', async () => [4, 5].includes((await source.backlog()).depth));
      const { oldest } = await source.backlog();
      if (oldest !== null) expect(textOf(oldest)).toBe(textsOf(got)[0]);
      await source.close();
    });

    it('settles in any order', async () => {
      await publishEach(numbered(30));
      const { source, got } = await consume();
      await waitFor('all deliveries', () => got.length === 30);
      await settle(source, got.slice(20));
      await settle(source, got.slice(5, 15));
      await settle(source, got.slice(0, 5));
      await source.close();
      expect((await remaining()).toSorted()).toEqual(textsOf(got.slice(15, 20)).toSorted());
    });

    it('delivers nothing more once stopped, and what was handed out may still be settled', async () => {
      await subject.queue.publish(numbered(3));
      const { source, got } = await consume();
      // Of one partition deliveries may come while others are still being consumed from.
      await waitFor('the deliveries', () => got.length === 3 && source.ready());
      await source.stop(2_000);
      expect(source.ready()).toBe(false);
      await subject.queue.publish([Buffer.from('late')]);
      await settle(source, got);
      await source.close();
      expect(await remaining()).toEqual(['late']);
      expect(got).toHaveLength(3);
    });

    it('shares 10,000 messages between two consumers, each delivered', async () => {
      const bodies = numbered(10_000);
      const consumers = [await consume(500), await consume(500)];
      const settling = consumers.map(async ({ source, got }) => {
        let settled = 0;
        return async (): Promise<number> => {
          const batch = got.slice(settled);
          settled = got.length;
          if (batch.length > 0) await settle(source, batch);
          return settled;
        };
      });
      const rounds = await Promise.all(settling);
      for (let start = 0; start < bodies.length; start += 1_000) {
        await subject.queue.publish(bodies.slice(start, start + 1_000));
      }
      const seen = (): Set<string> => new Set(consumers.flatMap(({ got }) => textsOf(got)));
      await waitFor(
        'all messages',
        async () => {
          for (const round of rounds) await round();
          return seen().size === bodies.length;
        },
        { deadlineMs: 60_000 },
      );
      for (const round of rounds) await round();
      for (const { source } of consumers) await source.close();
      expect(await remaining()).toEqual([]);
    });

    it('takes nothing once it is closed, and says that it is unavailable', async () => {
      await subject.closeQueue();
      await expect(subject.queue.publish([Buffer.from('late')])).rejects.toBeInstanceOf(UnavailableError);
    });
  });
}

function numbered(count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => Buffer.from(`message ${index}`));
}

/** A queue in several parts hands out at least one of each at a time; what is about one item is in one part. */
function ofOneItem(count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => Buffer.from(JSON.stringify({ item: 'one', index })));
}

function textOf(body: Uint8Array): string {
  return Buffer.from(body).toString();
}

function textsOf(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(({ body }) => textOf(body));
}
