import type { Logger } from './logger.ts';

/** What was started, to be ended in the opposite order: at a drain, or when a later part does not start. */
export interface DrainList {
  add(name: string, end: () => Promise<void>): void;
  /** Ends all of it, also when one does not end well; then rejects. */
  drain(): Promise<void>;
  /** The same after a fault that counts more than how this ends. Never rejects. */
  abandon(): Promise<void>;
}

export function createDrainList(logger: Logger): DrainList {
  const parts: { name: string; end: () => Promise<void> }[] = [];

  async function drain(): Promise<void> {
    const failed: string[] = [];
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      try {
        await part.end();
      } catch (error) {
        failed.push(part.name);
        logger.error({ error, part: part.name }, 'did not end well');
      }
    }
    if (failed.length > 0) throw new Error(`did not end well: ${failed.join(', ')}`);
  }

  return {
    add(name, end) {
      parts.push({ name, end });
    },
    drain,
    abandon: () => drain().catch(() => undefined),
  };
}
