export interface Batcher<T> {
  add(item: T): void;
  /** No more come until some are done with: what there is waits no longer. */
  hurry(): void;
  /** What waits is not flushed. */
  forget(): void;
  /** Whether a full batch waits while as many as may be are being flushed. */
  isBehind(): boolean;
  /** Flushes what is left; resolves when nothing is in hand and no flush runs. */
  drain(): Promise<void>;
}

export interface BatcherOptions<T> {
  readonly maxItems: number;
  /** How long the first item of a batch waits for others. */
  readonly maxWaitMs: number;
  /**
   * Flushes at a time. Two: while Postgres works on one batch, this process prepares the next. More only wait for each
   * other's rows. In which order batches end does not matter.
   */
  readonly concurrency?: number;
  /** Settles its items one way or another and never rejects. */
  flush(items: readonly T[]): Promise<void>;
}

/** Gathers items into batches by size and time. How much is in hand is bounded by the source's prefetch, not here. */
export function createBatcher<T>({ maxItems, maxWaitMs, concurrency = 2, flush }: BatcherOptions<T>): Batcher<T> {
  let items: T[] = [];
  let timer: NodeJS.Timeout | undefined;
  let due = false;
  let draining = false;
  let running = 0;
  let idle: (() => void)[] = [];

  function startFlushes(): void {
    while (running < concurrency && items.length > 0 && (due || draining || items.length >= maxItems)) {
      const batch = items.length <= maxItems ? items : items.slice(0, maxItems);
      items = items.length <= maxItems ? [] : items.slice(maxItems);
      clearTimeout(timer);
      due = false;
      if (items.length > 0) startTimer();
      running += 1;
      void run(batch);
    }
    if (running === 0 && items.length === 0) {
      for (const resolve of idle) resolve();
      idle = [];
    }
  }

  async function run(batch: readonly T[]): Promise<void> {
    try {
      await flush(batch);
    } finally {
      running -= 1;
      startFlushes();
    }
  }

  function startTimer(): void {
    timer = setTimeout(() => {
      due = true;
      startFlushes();
    }, maxWaitMs);
  }

  return {
    add(item) {
      items.push(item);
      if (items.length === 1) startTimer();
      if (items.length >= maxItems || draining) startFlushes();
    },
    hurry() {
      due = items.length > 0;
      startFlushes();
    },
    forget() {
      items = [];
      clearTimeout(timer);
      due = false;
      startFlushes();
    },
    isBehind: () => running >= concurrency && (due || items.length >= maxItems),
    drain() {
      draining = true;
      return new Promise((resolve) => {
        idle.push(resolve);
        startFlushes();
      });
    },
  };
}
