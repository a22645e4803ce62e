import type { Patience } from './limits/patience.ts';
import type { Span } from '../runtime/tracing.ts';
import type { ViewerKey } from '../interactions/viewer-key.ts';

/** Who sends a request, as far as the transport could prove it. At most one of `userId` and `deviceId` is set. */
export interface Identity {
  readonly userId: string | null;
  readonly deviceId: string | null;
  /** The viewer's pseudonym; null for nobody. */
  readonly key: ViewerKey | null;
  readonly isAdmin: boolean;
}

/** What the transport knows of one request. The GraphQL half builds its own context from it. */
export interface RequestContext {
  readonly identity: Identity;
  /** The `Idempotency-Key` header as sent, unchecked. */
  readonly idempotencyKey: string | null;
  readonly patience: Patience;
  /** Settles as `work` does, which others do: while the request waits for it, it is not at work. */
  readonly pause: <T>(work: Promise<T>) => Promise<T>;
  /** Of the request, where it is traced. */
  readonly span?: Span | null;
}
