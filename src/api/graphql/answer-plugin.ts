import type { ApolloServerPlugin } from '@apollo/server';
import type { TextCache } from '../../cache/cache.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { restrictCaching, setCacheControl } from './cache-policy.ts';
import type { ApiContext } from './context.ts';
import { setErrorStatus } from './error-status.ts';
import { createOperationMetrics } from './operation-metrics.ts';
import { createOperationTrace } from './operation-trace.ts';
import { createResponseCache, mayBeKept, type CachedAnswer } from './response-cache.ts';

export interface AnswerPluginOptions {
  /** Holds whole answers. */
  readonly cache: TextCache;
  readonly metrics: Pick<Metrics, 'responseCache' | 'operations' | 'operationDuration'>;
  /** The names in the persisted manifests, the same set until they change. */
  readonly listed: () => ReadonlySet<string>;
}

/**
 * All that is ours in Apollo's pipeline, as one plugin: Apollo awaits each hook of each plugin at every request. What most
 * requests do not need, a listener of the response cache above all, is made when they do.
 */
export function createAnswerPlugin({ cache, metrics, listed }: AnswerPluginOptions): ApolloServerPlugin<ApiContext> {
  const responseCache = createResponseCache({ cache, metrics });
  const observe = createOperationMetrics({ metrics, listed });
  const trace = createOperationTrace(listed);
  return {
    async requestDidStart({ contextValue: { span } }) {
      const startedAtMs = performance.now();
      let cached: CachedAnswer | undefined;
      return {
        async responseForOperation(request) {
          if (!mayBeKept(request)) return null;
          cached = await responseCache(request);
          return cached.find(request);
        },
        async didEncounterErrors({ errors }) {
          if (span !== null) trace.errors(span, errors);
        },
        async willSendResponse(answered) {
          setErrorStatus(answered.response);
          if (answered.metrics.responseCacheHit !== true) restrictCaching(answered);
          if (cached !== undefined) await cached.finish(answered);
          setCacheControl(answered);
          observe(answered, startedAtMs);
          if (span !== null) trace.answered(span, answered);
        },
      };
    },
  };
}
