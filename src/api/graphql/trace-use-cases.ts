import type { Span } from '../../runtime/tracing.ts';
import type { UseCases } from './context.ts';

/** The same for a request that is traced: what they ask of the queue and of Postgres is part of it. */
export function traceUseCases(useCases: UseCases, span: Span): UseCases {
  const { recordInteraction, history, eraseViewer, catalogue, popularItems } = useCases;
  return {
    ...useCases,
    // By hand, not by context: this is the hot path, and contexts cost each promise of the process.
    recordInteraction: {
      record: (viewer, inputs, options) => recordInteraction.record(viewer, inputs, { ...options, span }),
    },
    history: {
      find: (...asked) => span.within(() => history.find(...asked)),
      interactions: (...asked) => span.within(() => history.interactions(...asked)),
      reactions: (...asked) => span.within(() => history.reactions(...asked)),
      reactionsTo: (...asked) => span.within(() => history.reactionsTo(...asked)),
    },
    eraseViewer: (whom) => span.within(() => eraseViewer(whom)),
    catalogue: {
      find: (...asked) => span.within(() => catalogue.find(...asked)),
      upsert: (items) => span.within(() => catalogue.upsert(items)),
      hide: (ids, hidden) => span.within(() => catalogue.hide(ids, hidden)),
    },
    popularItems: {
      page: (...asked) => span.within(() => popularItems.page(...asked)),
      counts: (...asked) => span.within(() => popularItems.counts(...asked)),
    },
  };
}
