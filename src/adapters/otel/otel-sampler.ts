import { createContextKey, ROOT_CONTEXT } from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  type Sampler,
} from '@opentelemetry/sdk-trace';

export interface SamplerOptions {
  /** Whether a trace that the sender began is recorded when, and only when, the sender records it. */
  readonly parentBased: boolean;
  /** Of the traces that begin here, 0 to 1. */
  readonly ratio: number;
}

const CHOSEN = createContextKey('chosen to be recorded');
/** Of a trace that begins here and was chosen before it had a span: one of the SDK costs its time even when nothing is recorded. */
export const CHOSEN_ROOT = ROOT_CONTEXT.setValue(CHOSEN, true);

/** What is linked with recorded spans is recorded: it is the rest of their story. At ratio 0 without regard to parents nothing is. */
export function createSampler({ parentBased, ratio }: SamplerOptions): Sampler {
  const root = rootOf(ratio);
  if (!parentBased && ratio === 0) return root;
  const sampler = parentBased ? new ParentBasedSampler({ root }) : root;
  return {
    shouldSample: (context, traceId, name, kind, attributes, links) =>
      links.length > 0 || context.getValue(CHOSEN) === true
        ? { decision: SamplingDecision.RECORD_AND_SAMPLED }
        : sampler.shouldSample(context, traceId, name, kind, attributes, links),
    toString: () => `WithLinks{${sampler.toString()}}`,
  };
}

function rootOf(ratio: number): Sampler {
  if (ratio === 0) return new AlwaysOffSampler();
  return ratio === 1 ? new AlwaysOnSampler() : new TraceIdRatioBasedSampler(ratio);
}
