import { DeadlineError, asError, messageOf } from '../runtime/errors.ts';

export interface Guard {
  /** As `work` does within the deadline; rejects at once while the breaker is open. */
  run<T>(work: () => Promise<T>, deadlineMs?: number): Promise<T>;
  /** What opened the breaker, or null while it is closed. */
  fault(): string | null;
  close(): void;
}

interface GuardOptions {
  readonly name: string;
  readonly deadlineMs: number;
  /** This many failures in a row open the breaker. */
  readonly failuresToOpen: number;
  /** While open, asked this often until it resolves; requests never pay for trying. */
  readonly probeIntervalMs: number;
  readonly probe: () => Promise<void>;
  readonly onChange: (fault: string | null) => void;
}

/** A deadline around every call, and a breaker that stops calling what does not answer until a probe in the background does. */
export function createGuard(options: GuardOptions): Guard {
  const { name, deadlineMs, failuresToOpen } = options;
  let failuresInARow = 0;
  let fault: string | null = null;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  function failed(error: unknown): void {
    failuresInARow += 1;
    if (fault !== null || failuresInARow < failuresToOpen || closed) return;
    fault = messageOf(error);
    options.onChange(fault);
    probeLater();
  }
  function probeLater(): void {
    timer = setTimeout(() => {
      callWithin(options.probe, deadlineMs, name).then(() => {
        fault = null;
        failuresInARow = 0;
        if (!closed) options.onChange(null);
      }, probeLater);
    }, options.probeIntervalMs);
    timer.unref();
    if (closed) clearTimeout(timer);
  }

  return {
    async run(work, ownDeadlineMs = deadlineMs) {
      if (fault !== null) throw new Error(`${name} is away: ${fault}`);
      try {
        const result = await callWithin(work, ownDeadlineMs, name);
        failuresInARow = 0;
        return result;
      } catch (error) {
        failed(error);
        throw error;
      }
    },
    fault: () => fault,
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/**
 * Like withDeadline, but a reply that lies unread in the socket when time is up still counts: timers run before I/O, so
 * after a long pause of our own the deadline alone would blame the server.
 */
function callWithin<T>(work: () => Promise<T>, deadlineMs: number, what: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined = setTimeout(() => {
      timer = undefined;
      setImmediate(() => setImmediate(reject, new DeadlineError(what, deadlineMs)));
    }, deadlineMs);
    work().then(
      (value) => {
        if (timer !== undefined) clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        if (timer !== undefined) clearTimeout(timer);
        reject(asError(error));
      },
    );
  });
}
