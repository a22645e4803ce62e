import type { Logger } from './logger.ts';

/** One Ctrl-C arrives twice under `npm start`: from the terminal, and passed on by npm. */
const REPEAT_MS = 1_000;

/**
 * Runs `drain` once on SIGTERM or SIGINT and exits 0, or 1 when it failed or took over `timeoutMs`. A second signal
 * exits at once. Only entry points call this.
 */
export function exitOnSignal(options: {
  readonly drain: () => Promise<void>;
  readonly timeoutMs: number;
  readonly logger: Logger;
  /** For a process whose parent passes signals on: only those of the parent. */
  readonly signals?: readonly NodeJS.Signals[];
}): void {
  let drainingSince: number | null = null;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (drainingSince !== null) {
      if (performance.now() - drainingSince < REPEAT_MS) return;
      options.logger.warn({ signal }, 'second signal: exiting without draining');
      process.exit(1);
    }
    drainingSince = performance.now();
    options.logger.info({ signal }, 'draining');
    const timer = setTimeout(() => {
      options.logger.error({ timeoutMs: options.timeoutMs }, 'draining took too long');
      process.exit(1);
    }, options.timeoutMs);
    options.drain().then(
      () => {
        clearTimeout(timer);
        process.exit(0);
      },
      (error: unknown) => {
        options.logger.error({ error }, 'draining failed');
        process.exit(1);
      },
    );
  };
  for (const signal of options.signals ?? (['SIGTERM', 'SIGINT'] as const)) process.on(signal, onSignal);
}
