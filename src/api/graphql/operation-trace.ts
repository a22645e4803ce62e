import type { GraphQLRequestContextWillSendResponse } from '@apollo/server';
import type { Span, TraceFields } from '../../runtime/tracing.ts';
import type { ApiContext } from './context.ts';
import { createOperationLabels, OTHER } from './operation-metrics.ts';

export interface OperationTrace {
  /** Errors that the operation met: their lines in the log name its trace. */
  errors(span: Span, errors: readonly object[]): void;
  /** Names the span by the operation, as the metrics do: any other name could be anything. */
  answered(span: Span, request: GraphQLRequestContextWillSendResponse<ApiContext>): void;
}

const spans = new WeakMap<object, Span>();

export function createOperationTrace(listed: () => ReadonlySet<string>): OperationTrace {
  const labelOf = createOperationLabels(listed);
  return {
    errors(span, errors) {
      for (const error of errors) spans.set(error, span);
    },
    answered(span, { operation, metrics, response }) {
      if (operation === undefined || operation === null) return;
      const label = labelOf(operation.name?.value);
      const type = operation.operation;
      span.rename(label === OTHER ? type : `${type} ${label}`);
      span.set({ 'graphql.operation.type': type, 'groundswell.response_cache.hit': metrics.responseCacheHit === true });
      if (label !== OTHER) span.set({ 'graphql.operation.name': label });
      if (response.body.kind !== 'single') return;
      const code: unknown = response.body.singleResult.errors?.[0]?.extensions?.['code'];
      if (typeof code === 'string') span.set({ 'groundswell.error.code': code });
    },
  };
}

/** For the log line of an error that a traced operation met. */
export function traceFieldsOf(error: unknown): TraceFields | undefined {
  return typeof error === 'object' && error !== null ? spans.get(error)?.fields : undefined;
}
