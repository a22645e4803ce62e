import type { Logger } from './logger.ts';

/** What was started, to be ended in the opposite order: at a drain, or when a later part does not start. */
export interface DrainList {
  add(name: string, end: () => Promise<void>): void;
  /** Ends all of it, also when one does not end well. Never rejects. */
  drain(): Promise<void>;
}

export function createDrainList(logger: Logger): DrainList {
  const parts: { name: string; end: () => Promise<void> }[] = [];
  return {
    add(name, end) {
      parts.push({ name, end });
    },
    async drain() {
      for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
        try {
          await part.end();
        } catch (error) {
          logger.error({ error, part: part.name }, 'did not end well');
        }
      }
    },
  };
}
