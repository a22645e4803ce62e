import type { IncludedWrites } from '../../interactions/included-writes.ts';
import type { RecordInteraction } from '../../interactions/record-interaction.ts';
import type { ViewerHistory } from '../../interactions/viewer-history.ts';
import type { EraseViewer } from '../../interactions/erase-viewer.ts';
import type { Catalogue } from '../../items/catalogue.ts';
import type { CurrentRankings } from '../../popularity/current-rankings.ts';
import type { PopularItems } from '../../popularity/popular-items.ts';
import { createLoaders, type Loaders } from './loaders.ts';
import type { ReadPoint } from '../../runtime/read-point.ts';
import type { Span } from '../../runtime/tracing.ts';
import type { RequestContext } from '../request-context.ts';
import { traceUseCases } from './trace-use-cases.ts';

/** The use-cases that resolvers call. */
export interface UseCases {
  readonly recordInteraction: RecordInteraction;
  readonly history: ViewerHistory;
  readonly includedWrites: IncludedWrites;
  readonly eraseViewer: EraseViewer;
  readonly catalogue: Catalogue;
  readonly rankings: CurrentRankings;
  readonly popularItems: PopularItems;
  /** Whether an anonymous device may record. */
  readonly anonymousWrites: boolean;
  /** For how long public answers may be kept at most. */
  readonly cacheTtlMs: number;
  /** Part of every cache key. */
  readonly generation: () => string;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** What resolvers get for one request. */
export interface ApiContext extends RequestContext {
  readonly span: Span | null;
  readonly useCases: UseCases;
  /** The request's own, made when first asked for: answers from the response cache, and most writes, need none. */
  loaders(): Loaders;
  /** For how long the answer may be kept, as its parts come in. */
  readonly freshness: Freshness;
}

export interface Freshness {
  ttlMs(): number;
  /** Something in the answer may be kept for no longer than this, from now on. */
  limit(ttlMs: number): void;
  /** What the rest of the answer is read past; null: nothing in particular. */
  point(): ReadPoint | null;
  /** From now on; nothing of the answer may be kept. */
  readPast(point: ReadPoint): void;
}

export function createContext(shared: UseCases, request: RequestContext): ApiContext {
  const { span = null } = request;
  const useCases = span === null ? shared : traceUseCases(shared, span);
  let endsAtMs = Infinity;
  let point: ReadPoint | null = null;
  let loaders: Loaders | undefined;
  const freshness: Freshness = {
    ttlMs: () => Math.max(0, Math.min(useCases.cacheTtlMs, endsAtMs - performance.now())),
    limit(ttlMs) {
      endsAtMs = Math.min(endsAtMs, performance.now() + ttlMs);
    },
    point: () => point,
    readPast(later) {
      point = later;
      endsAtMs = 0;
    },
  };
  return {
    identity: request.identity,
    idempotencyKey: request.idempotencyKey,
    patience: request.patience,
    pause: request.pause,
    span,
    useCases,
    freshness,
    // No getter: Apollo copies the context, and would call it.
    loaders: () => (loaders ??= createLoaders(useCases, request, freshness)),
  };
}
