import { decodeMessage } from '../src/interactions/message.ts';
import type { RejectedStore } from '../src/interactions/rejected-store.ts';
import type { Logger } from '../src/runtime/logger.ts';
import { repeat } from './repeat.ts';

const PAGE = 500;
const EVERY_MS = 60_000;

export interface ReplayNewerOptions {
  readonly rejected: Pick<RejectedStore, 'list' | 'replay'>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Messages that an older worker could not read and this one can go back into the outbox: at start, and again and again, as
 * older workers may go on beside this one for a while.
 */
export function replayNewer({ rejected, logger, signal }: ReplayNewerOptions): Promise<void> {
  let afterSeq = 0n;
  return repeat({
    name: 'replay newer messages',
    everyMs: EVERY_MS,
    logger,
    signal,
    async work() {
      const page = await rejected.list({ reason: 'NEWER_VERSION' }, afterSeq, PAGE);
      const seqs = page.flatMap(({ seq, body }) => (isReadable(body) ? [seq] : []));
      if (seqs.length > 0) {
        const replayed = await rejected.replay({ reason: 'NEWER_VERSION', seqs });
        logger.info({ replayed }, 'replayed messages of a version that was newer than the worker');
      }
      const isLast = page.length < PAGE;
      afterSeq = isLast ? 0n : (page.at(-1)?.seq ?? 0n);
      return isLast ? 'later' : 'again';
    },
  });
}

function isReadable(body: Uint8Array): boolean {
  const decoded = decodeMessage(body);
  return decoded.ok || decoded.reason !== 'NEWER_VERSION';
}
