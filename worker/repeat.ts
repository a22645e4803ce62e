import { UnavailableError } from '../src/runtime/errors.ts';
import type { Logger } from '../src/runtime/logger.ts';
import { backoffMs, pause } from './pause.ts';

export interface RepeatOptions {
  readonly name: string;
  /** From the end of one run to the start of the next. */
  readonly everyMs: number;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** One run; `again` asks for the next at once. */
  work(): Promise<'again' | 'later' | 'done'>;
}

/** Resolves when `signal` aborts, after the run in progress, or when a run says that all is done. Never rejects. */
export async function repeat({ name, everyMs, logger, signal, work }: RepeatOptions): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      const next = await work();
      if (failures > 0) logger.info({ name }, 'works again');
      failures = 0;
      if (next === 'done') return;
      await pause(next === 'again' ? 0 : everyMs, signal);
    } catch (error) {
      if (failures === 0)
        logger[error instanceof UnavailableError ? 'warn' : 'error']({ name, error }, 'failed: trying again');
      await pause(backoffMs(failures), signal);
      failures += 1;
    }
  }
}
