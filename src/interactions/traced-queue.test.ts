import { expect, it } from 'vitest';
import type { Span } from '../runtime/tracing.ts';
import { createFallbackQueue } from './fallback-queue.ts';
import type { InteractionQueue } from './queue.ts';
import { traceQueue } from './traced-queue.ts';
import { UnavailableError } from '../runtime/errors.ts';

function recordedSpan(name: string, names: string[]): Span {
  return {
    traceparent: name,
    fields: { trace_id: name, span_id: name },
    rename: () => undefined,
    set: () => undefined,
    fail: () => undefined,
    child(_kind, childName, _attributes, work) {
      names.push(`${name} > ${childName}`);
      return work(recordedSpan(childName, names));
    },
    within: (work) => work(),
  };
}

it('each queue that is tried publishes in a span of its own, and hands that one on', async () => {
  const names: string[] = [];
  const handed: unknown[] = [];
  const away: InteractionQueue = { publish: () => Promise.reject(new UnavailableError('away')) };
  const there: InteractionQueue = { publish: async (_bodies, options) => void handed.push(options?.span?.traceparent) };
  const queue = createFallbackQueue({
    first: traceQueue('rabbitmq', 'q', away),
    second: traceQueue('outbox', 'outbox', there),
  });
  await queue.publish([Buffer.from('{}')], { span: recordedSpan('request', names) });
  expect(names).toEqual(['request > publish q', 'request > publish outbox']);
  expect(handed).toEqual(['publish outbox']);
});

it('what is not traced is published without a span', async () => {
  const handed: unknown[] = [];
  const queue = traceQueue('outbox', 'outbox', {
    publish: async (_bodies, options) => void handed.push(options?.span),
  });
  await queue.publish([Buffer.from('{}')]);
  await queue.publish([Buffer.from('{}')], { span: null });
  expect(handed).toEqual([undefined, null]);
});
