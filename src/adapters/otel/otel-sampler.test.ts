import { ROOT_CONTEXT, SpanKind, trace, type Link } from '@opentelemetry/api';
import { SamplingDecision } from '@opentelemetry/sdk-trace';
import { expect, it } from 'vitest';
import { CHOSEN_ROOT, createSampler, type SamplerOptions } from './otel-sampler.ts';

const LOW = '0'.repeat(31) + '1';
/** The SDK samples by the exclusive or of the four parts. */
const HIGH = `${'f'.repeat(8)}${'0'.repeat(23)}1`;
const LINK: Link = { context: { traceId: LOW, spanId: '1'.repeat(16), traceFlags: 1 } };

function records(options: SamplerOptions, { traceId = LOW, parent = '', links = [] as Link[] } = {}): boolean {
  const sender = { traceId, spanId: '2'.repeat(16), traceFlags: parent === 'sampled' ? 1 : 0, isRemote: true };
  const context = parent === '' ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, sender);
  const { decision } = createSampler(options).shouldSample(context, traceId, 'x', SpanKind.SERVER, {}, links);
  return decision === SamplingDecision.RECORD_AND_SAMPLED;
}

it('by parent, the sender decides; of what begins here a share is recorded', () => {
  const options = { parentBased: true, ratio: 0.5 };
  expect(records(options, { traceId: HIGH, parent: 'sampled' })).toBe(true);
  expect(records(options, { traceId: LOW, parent: 'unsampled' })).toBe(false);
  expect([records(options, { traceId: LOW }), records(options, { traceId: HIGH })]).toEqual([true, false]);
});

it('not by parent, no sender can make this process record more than its share', () => {
  const options = { parentBased: false, ratio: 0.5 };
  expect(records(options, { traceId: HIGH, parent: 'sampled' })).toBe(false);
  expect(records(options, { traceId: LOW, parent: 'unsampled' })).toBe(true);
});

it('what was chosen before is recorded, whatever its trace id', () => {
  const sampler = createSampler({ parentBased: true, ratio: 0.5 });
  const { decision } = sampler.shouldSample(CHOSEN_ROOT, HIGH, 'x', SpanKind.SERVER, {}, []);
  expect(decision).toBe(SamplingDecision.RECORD_AND_SAMPLED);
});

it('a batch linked with what is recorded is recorded too, unless nothing is to be', () => {
  expect(records({ parentBased: true, ratio: 0 }, { traceId: HIGH })).toBe(false);
  expect(records({ parentBased: true, ratio: 0 }, { traceId: HIGH, links: [LINK] })).toBe(true);
  expect(records({ parentBased: false, ratio: 0.5 }, { traceId: HIGH, links: [LINK] })).toBe(true);
  expect(records({ parentBased: false, ratio: 0 }, { links: [LINK] })).toBe(false);
});
