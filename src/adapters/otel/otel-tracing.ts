import { AsyncLocalStorage } from 'node:async_hooks';
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
  type Context,
  type Link,
  type Span as OtelSpan,
} from '@opentelemetry/api';
import { parseTraceParent, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { withDeadline } from '../../runtime/deadline.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Span, TraceHeaders, Tracing } from '../../runtime/tracing.ts';
import { reportFailures } from './otel-exporter.ts';
import { CHOSEN_ROOT, createSampler, type SamplerOptions } from './otel-sampler.ts';

/** What the SDK keeps of a span's links. */
const MAX_LINKS = 128;
const CLOSE_DEADLINE_MS = 1_000;

export interface OtelTracingOptions {
  /** Of the collector, with its path. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** `service.name` among them. */
  readonly resource: Readonly<Record<string, string>>;
  readonly sampler: SamplerOptions;
  readonly logger: Logger;
}

const KINDS = { client: SpanKind.CLIENT, producer: SpanKind.PRODUCER };
const HEADERS = {
  get: (headers: TraceHeaders, name: string) => headers[name],
  keys: (headers: TraceHeaders) => Object.keys(headers),
};

/** OpenTelemetry's SDK, sending to a collector over OTLP/HTTP as JSON. Nothing of it is global. */
export function createOtelTracing(options: OtelTracingOptions): Tracing {
  const exporter = new OTLPTraceExporter({ url: options.url, headers: { ...options.headers } });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ ...options.resource }),
    sampler: createSampler(options.sampler),
    spanProcessors: [new BatchSpanProcessor({ exporter: reportFailures(exporter, options.logger) })],
  });
  const tracer = provider.getTracer('groundswell');
  const propagator = new W3CTraceContextPropagator();
  const storage = new AsyncLocalStorage<OpenSpan>();
  let within = 0;

  interface OpenSpan extends Span {
    readonly isOpen: () => boolean;
  }

  function wrap(span: OtelSpan): OpenSpan {
    const { traceId, spanId } = span.spanContext();
    const below = trace.setSpan(ROOT_CONTEXT, span);
    const open: OpenSpan = {
      isOpen: () => span.isRecording(),
      traceparent: `00-${traceId}-${spanId}-01`,
      fields: { trace_id: traceId, span_id: spanId },
      rename: (name) => void span.updateName(name),
      set: (attributes) => void span.setAttributes(attributes),
      fail: (type) => fail(span, type),
      child: (kind, name, attributes, work) => {
        const child = tracer.startSpan(name, { kind: KINDS[kind], attributes }, below);
        return untilDone(child, () => work(wrap(child)));
      },
      // While any storage is in use, Node 20 and 22 follow every promise of the process, about a tenth of its CPU: so
      // only for as long as it is needed.
      async within(work) {
        within += 1;
        try {
          return await storage.run(open, work);
        } finally {
          within -= 1;
          if (within === 0) storage.disable();
        }
      },
    };
    return open;
  }

  async function untilDone<T>(span: OtelSpan, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      fail(span, typeOf(error));
      throw error;
    } finally {
      span.end();
    }
  }

  return {
    request(headers, work) {
      const begins = headers['traceparent'] === undefined;
      if (begins && Math.random() >= options.sampler.ratio) return work(null);
      const parent = begins ? CHOSEN_ROOT : propagator.extract(ROOT_CONTEXT, headers, HEADERS);
      const span = tracer.startSpan('request', { kind: SpanKind.SERVER }, parent);
      return span.isRecording() ? untilDone(span, () => work(wrap(span))) : work(null);
    },

    batch(name, origins, attributes, work) {
      const links = linksTo(origins);
      if (links.length === 0) return work();
      const span = tracer.startSpan(name, { kind: SpanKind.CONSUMER, links, attributes }, ROOT_CONTEXT);
      if (!span.isRecording()) return work();
      const back = [{ context: span.spanContext() }];
      const parts = links.map(({ context }) =>
        tracer.startSpan('process interaction', { kind: SpanKind.CONSUMER, links: back }, remote(context)),
      );
      return untilDone(span, () => wrap(span).within(work)).finally(() => {
        for (const part of parts) part.end();
      });
    },

    current() {
      if (within === 0) return null;
      const span = storage.getStore();
      return span?.isOpen() === true ? span : null;
    },

    close: () => withDeadline(provider.shutdown(), CLOSE_DEADLINE_MS, 'the collector').catch(() => undefined),
  };
}

/** To each that is sampled, once. */
function linksTo(origins: readonly string[]): Link[] {
  const links: Link[] = [];
  for (const origin of new Set(origins)) {
    const context = parseTraceParent(origin);
    if (context === null || (context.traceFlags & TraceFlags.SAMPLED) === 0) continue;
    links.push({ context });
    if (links.length === MAX_LINKS) break;
  }
  return links;
}

function remote(context: Link['context']): Context {
  return trace.setSpanContext(ROOT_CONTEXT, { ...context, isRemote: true });
}

function fail(span: OtelSpan, type: string): void {
  span.setStatus({ code: SpanStatusCode.ERROR });
  span.setAttribute('error.type', type);
}

function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const code: unknown = Reflect.get(error, 'code');
  return typeof code === 'string' ? code : error.name;
}
