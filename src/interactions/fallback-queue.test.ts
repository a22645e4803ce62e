import { describe, expect, it } from 'vitest';
import { UnavailableError } from '../runtime/errors.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { createFallbackQueue } from './fallback-queue.ts';
import { measureQueue } from './measured-queue.ts';
import type { InteractionQueue } from './queue.ts';

function memoryQueue(): InteractionQueue & { kept: string[]; fault: Error | null } {
  const queue = {
    kept: new Array<string>(),
    fault: null as Error | null,
    async publish(bodies: readonly Buffer[]) {
      if (queue.fault !== null) throw queue.fault;
      queue.kept.push(...bodies.map(String));
    },
  };
  return queue;
}

const away = new UnavailableError('away');

describe('createFallbackQueue', () => {
  it('publishes to the first queue alone while it works', async () => {
    const [first, second] = [memoryQueue(), memoryQueue()];
    await createFallbackQueue({ first, second }).publish([Buffer.from('a')]);
    expect(first.kept).toEqual(['a']);
    expect(second.kept).toEqual([]);
  });

  it('publishes to the second when the first is unavailable, and goes back to the first by itself', async () => {
    const [first, second] = [memoryQueue(), memoryQueue()];
    const queue = createFallbackQueue({ first, second });
    first.fault = away;
    await queue.publish([Buffer.from('a'), Buffer.from('b')]);
    first.fault = null;
    await queue.publish([Buffer.from('c')]);
    expect(second.kept).toEqual(['a', 'b']);
    expect(first.kept).toEqual(['c']);
  });

  it('fails as unavailable when both are away', async () => {
    const [first, second] = [memoryQueue(), memoryQueue()];
    first.fault = away;
    second.fault = new UnavailableError('the database is away');
    await expect(createFallbackQueue({ first, second }).publish([Buffer.from('a')])).rejects.toBe(second.fault);
  });

  it('gives the second what is left of the time, and begins nothing there when none is', async () => {
    const given: (number | undefined)[] = [];
    const first: InteractionQueue = {
      async publish() {
        await new Promise((resolve) => setTimeout(resolve, 20));
        throw away;
      },
    };
    const second: InteractionQueue = { publish: async (_bodies, options) => void given.push(options?.withinMs) };
    const queue = createFallbackQueue({ first, second });
    await queue.publish([Buffer.from('a')], { withinMs: 60_000 });
    expect(given[0]).toBeLessThan(59_990);
    await expect(queue.publish([Buffer.from('b')], { withinMs: 10 })).rejects.toBe(away);
    expect(given).toHaveLength(1);
  });

  it('does not hide a fault of our own behind the second queue', async () => {
    const [first, second] = [memoryQueue(), memoryQueue()];
    first.fault = new TypeError('a bug');
    await expect(createFallbackQueue({ first, second }).publish([Buffer.from('a')])).rejects.toBe(first.fault);
    expect(second.kept).toEqual([]);
  });

  it('counts interactions where they are durable and failures where they happen', async () => {
    const metrics = createMetrics();
    const [first, second] = [memoryQueue(), memoryQueue()];
    const queue = createFallbackQueue({
      first: measureQueue('rabbitmq', first, metrics),
      second: measureQueue('outbox', second, metrics),
    });
    await queue.publish([Buffer.from('a')]);
    first.fault = away;
    await queue.publish([Buffer.from('b'), Buffer.from('c')]);
    const published = await metrics.published.get();
    const failures = await metrics.publishFailures.get();
    const byQueue = (values: readonly { labels: object; value: number }[]): object =>
      Object.fromEntries(values.map(({ labels, value }) => [Object.values(labels)[0], value]));
    expect(byQueue(published.values)).toEqual({ rabbitmq: 1, outbox: 2 });
    expect(byQueue(failures.values)).toEqual({ rabbitmq: 1, outbox: 0 });
  });
});
