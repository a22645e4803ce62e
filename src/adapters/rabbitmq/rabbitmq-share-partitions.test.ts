import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../runtime/logger.ts';
import { beyondFairShare, sharePartitions } from './rabbitmq-share-partitions.ts';
import { createSubscription, type Subscription } from './rabbitmq-subscription.ts';

describe('beyondFairShare', () => {
  const active = [3, 1, 2, 4].map((activeSince) => ({ activeSince }));
  const beyond = (partitions: number, workers: number): number[] =>
    beyondFairShare(active, { partitions, workers }).map(({ activeSince }) => activeSince);

  it('gives up what came last, down to an even share', () => {
    expect(beyond(4, 2)).toEqual([3, 4]);
    expect(beyond(4, 4)).toEqual([2, 3, 4]);
  });

  it('keeps the larger part where the shares cannot be even', () => {
    expect(beyond(4, 3)).toEqual([3, 4]);
    expect(beyond(16, 3)).toEqual([]);
  });

  it('gives up nothing alone, nor while no worker is to be seen', () => {
    expect(beyond(4, 1)).toEqual([]);
    expect(beyond(4, 0)).toEqual([]);
  });
});

describe('sharePartitions', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** Four partitions, of which the first ones are served here, and a broker that answers when told to. */
  function sharing(served: number) {
    const partitions = [1, 2, 3, 4].map((n) => createSubscription(`q${n}`, 'partition'));
    const asked: { resolve(workers: number): void; reject(error: Error): void }[] = [];
    const givenUp: { readonly queue: string; done(): void }[] = [];
    const shared = sharePartitions({
      partitions,
      countWorkers: () => new Promise((resolve, reject) => asked.push({ resolve, reject })),
      async giveUp(partition: Subscription) {
        await new Promise<void>((resolve) => givenUp.push({ queue: partition.queue, done: resolve }));
        partition.activeSince = null;
      },
      logger: createLogger('silent', 'test'),
    });
    function serve(n: number): void {
      const partition = partitions[n - 1];
      if (partition !== undefined) partition.activeSince = n;
      shared.served();
    }
    for (let n = 1; n <= served; n += 1) serve(n);
    return { shared, partitions, asked, serve, givenUp, queues: () => givenUp.map(({ queue }) => queue) };
  }

  it('gives each up once, though it is asked for the workers anew before the first answer', async () => {
    const { asked, serve, queues } = sharing(3);
    await vi.advanceTimersByTimeAsync(200);
    serve(4);
    await vi.advanceTimersByTimeAsync(200);
    expect(asked).toHaveLength(2);
    for (const { resolve } of asked) resolve(2);
    await vi.advanceTimersByTimeAsync(0);
    expect(queues()).toEqual(['q3', 'q4']);
  });

  it('gives nothing up that is being left already, as when the answer comes after it was stopped', async () => {
    const { shared, asked, queues } = sharing(4);
    await vi.advanceTimersByTimeAsync(200);
    shared.stop();
    asked[0]?.resolve(2);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(queues()).toEqual([]);
    expect(asked).toHaveLength(1);
  });

  it('tells how long one is being given up, and then looks every second while more than one is served', async () => {
    const { shared, partitions, asked, givenUp } = sharing(3);
    await vi.advanceTimersByTimeAsync(200);
    asked[0]?.resolve(2);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(partitions.map((partition) => shared.departureOf(partition) !== undefined)).toEqual([
      false,
      false,
      true,
      false,
    ]);
    expect(asked).toHaveLength(1);
    givenUp[0]?.done();
    await vi.advanceTimersByTimeAsync(0);
    expect(partitions.map((partition) => shared.departureOf(partition))).toEqual(Array(4).fill(undefined));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked).toHaveLength(2);
    asked[1]?.reject(new Error('no answer'));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked).toHaveLength(3);
  });

  it('asks nothing while a single one is served', async () => {
    const { asked } = sharing(1);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(asked).toEqual([]);
  });
});
