import type { Logger } from '../runtime/logger.ts';
import type { ItemStore } from './item-store.ts';

export interface FollowedChange {
  /** True when the generation is another than at the last look. */
  readonly changed: boolean;
  /** True when the last look was so long ago that something may have been hidden and forgotten in between. */
  readonly gap: boolean;
}

/** What this process knows of changes to the catalogue: one for all its caches. */
export interface CatalogueFollower {
  /** Looks once, then at every interval. Resolves after the first look, also when that failed. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Looks now: after it, this process follows whatever was committed before. @throws UnavailableError */
  follow(): Promise<void>;
  /** Part of every cache key. */
  generation(): string;
  isHidden(itemId: string): boolean;
  /** Hidden lately: no answer may hold these, whatever a lagging replica says. */
  hidden(): ReadonlySet<string>;
  /** Called after every look; a look ends when all listeners have. */
  onFollow(listener: (change: FollowedChange) => void | Promise<void>): void;
}

export interface CatalogueFollowerOptions {
  readonly items: Pick<ItemStore, 'changes'>;
  readonly intervalMs: number;
  readonly logger: Logger;
}

/** The store tells of hidden items for minutes; looks further apart than this start afresh. */
const MAX_GAP_MS = 60_000;

export function createCatalogueFollower(options: CatalogueFollowerOptions): CatalogueFollower {
  const listeners: ((change: FollowedChange) => void | Promise<void>)[] = [];
  let generation = 0n;
  let hidden: ReadonlySet<string> = new Set();
  let lastLookMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();
  let running = false;
  let failing = false;

  async function look(): Promise<void> {
    const startedMs = performance.now();
    const changes = await options.items.changes();
    // A look that began before another one ended may tell of less.
    if (changes.generation < generation && startedMs < lastLookMs) return;
    const change = { changed: changes.generation !== generation, gap: startedMs - lastLookMs > MAX_GAP_MS };
    hidden = new Set(changes.recentlyHidden);
    generation = changes.generation;
    lastLookMs = performance.now();
    await Promise.all(listeners.map(async (listener) => listener(change)));
  }

  async function lookQuietly(): Promise<void> {
    try {
      await look();
      if (failing) options.logger.info({}, 'following the catalogue again');
      failing = false;
    } catch (error) {
      if (!failing) options.logger.warn({ error }, 'cannot follow the catalogue');
      failing = true;
    }
  }

  function schedule(): void {
    if (!running) return;
    timer = setTimeout(() => {
      looking = lookQuietly().then(schedule);
    }, options.intervalMs);
    timer.unref();
  }

  return {
    async start() {
      running = true;
      looking = lookQuietly();
      await looking;
      schedule();
    },
    async stop() {
      running = false;
      clearTimeout(timer);
      await looking;
    },
    follow: look,
    generation: () => generation.toString(36),
    isHidden: (itemId) => hidden.has(itemId),
    hidden: () => hidden,
    onFollow: (listener) => void listeners.push(listener),
  };
}
