import type { Registry } from 'prom-client';
import type { Readiness } from '../runtime/readiness.ts';
import { createCalls, type Pipe } from './calls.ts';
import { parseReport } from './group-readiness.ts';

/** Longer than the parent gives each process for its own part of the answer. */
const GROUP_DEADLINE_MS = 3_500;
const ALIVE_EVERY_MS = 1_000;

/**
 * For a forked process: answers its parent, and tells it that it is alive. Gives the readiness of all processes together,
 * which is what whoever asks at the port they share wants to know; our own when the parent does not answer.
 */
export function joinCluster(options: {
  readonly own: Readiness;
  readonly metrics: Registry;
  /** Leaves the port to the others, and resolves when nothing is in flight any more. */
  readonly retire: () => Promise<void>;
}): Readiness {
  const { own, metrics, retire } = options;
  const pipe: Pipe = {
    send(message) {
      if (!process.connected) return false;
      process.send?.(message, undefined, undefined, () => undefined);
      return true;
    },
    onMessage: (listener) => void process.on('message', listener),
  };
  const calls = createCalls(pipe, {
    metrics: () => metrics.getMetricsAsJSON(),
    readiness: () => own.report(),
    async retire() {
      await retire();
      return metrics.getMetricsAsJSON();
    },
  });
  // A process whose event loop stands still sends none; the parent then ends it.
  setInterval(() => void pipe.send({ groundswell: 'alive' }), ALIVE_EVERY_MS).unref();
  return {
    async report() {
      const report = await calls.ask('group readiness', GROUP_DEADLINE_MS).then(parseReport, () => undefined);
      return report ?? own.report();
    },
    beginDraining: () => own.beginDraining(),
  };
}
