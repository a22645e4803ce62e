import { isatty } from 'node:tty';
import type { Logger } from './logger.ts';

/** One Ctrl-C arrives twice under npm: from the terminal, and passed on. */
const REPEAT_MS = 1_000;

/** `first` once, on any of the signals, and `again` on those that come after it and are not its copy. */
export function onStopSignals(
  signals: readonly NodeJS.Signals[],
  first: (signal: NodeJS.Signals) => void,
  again: (signal: NodeJS.Signals) => void,
): void {
  let sinceMs: number | null = null;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (sinceMs === null) {
      sinceMs = performance.now();
      first(signal);
    } else if (performance.now() - sinceMs >= REPEAT_MS) again(signal);
  };
  for (const signal of signals) process.on(signal, onSignal);
}

export interface SignalOptions {
  readonly drain: () => Promise<void>;
  readonly timeoutMs: number;
  readonly logger: Logger;
  /** For a process whose parent passes signals on: only those of the parent. */
  readonly signals?: readonly NodeJS.Signals[];
  /** Before an exit that waits for nobody. */
  readonly beforeForcedExit?: () => void;
  /** What SIGHUP asks for; false: nothing can be loaded anew here. */
  readonly reload: () => boolean;
}

/**
 * Runs `drain` once on SIGTERM or SIGINT and exits 0, or 1 when it failed or took over `timeoutMs`. A second signal
 * exits at once. SIGHUP reloads, or is logged and ignored; from a terminal that was closed it is the end at once, as for
 * any program. Only entry points call this.
 */
export function exitOnSignal(options: SignalOptions): { isDraining(): boolean } {
  const { logger, timeoutMs, signals = ['SIGTERM', 'SIGINT'] } = options;
  let isDraining = false;

  function exitNow(): never {
    options.beforeForcedExit?.();
    process.exit(1);
  }

  function beginDraining(signal: NodeJS.Signals): void {
    isDraining = true;
    logger.info({ signal }, 'draining');
    const timer = setTimeout(() => {
      logger.error({ timeoutMs }, 'draining took too long');
      exitNow();
    }, timeoutMs);
    options.drain().then(
      () => {
        clearTimeout(timer);
        process.exit(0);
      },
      (error: unknown) => {
        logger.error({ error }, 'draining failed');
        exitNow();
      },
    );
  }

  const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
  process.on('SIGHUP', (signal) => {
    if (terminals.length > 0 && !terminals.some((descriptor) => isatty(descriptor))) {
      // Neither a line of the log nor an exit of Node's own works without the terminal they began with.
      options.beforeForcedExit?.();
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else if (isDraining || options.reload()) return;
    else logger.warn({ signal }, 'ignored: this process cannot be replaced while it runs; restart it to load anew');
  });
  onStopSignals(signals, beginDraining, (signal) => {
    logger.warn({ signal }, 'second signal: exiting without draining');
    exitNow();
  });
  return { isDraining: () => isDraining };
}
