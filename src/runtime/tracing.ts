export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** As a line of the log names its trace. */
export interface TraceFields {
  readonly trace_id: string;
  readonly span_id: string;
}

/** A recorded piece of work. What is not sampled has none: null stands in its place, and costs nothing. */
export interface Span {
  /** W3C, for whoever goes on with this elsewhere. */
  readonly traceparent: string;
  readonly fields: TraceFields;
  rename(name: string): void;
  set(attributes: SpanAttributes): void;
  /** Marks it as gone wrong, by a name for what it was. */
  fail(type: string): void;
  /**
   * Does `work` in a span below this one, which ends when the work does. Of an error only its code or name is kept: its
   * text may quote what people sent.
   */
  child<T>(
    kind: 'client' | 'producer',
    name: string,
    attributes: SpanAttributes,
    work: (span: Span) => Promise<T>,
  ): Promise<T>;
  /** Until `work` is done, what it does finds this span by `tracing.current()`. */
  within<T>(work: () => Promise<T>): Promise<T>;
}

export interface Tracing {
  /** A request that came in; it goes on with the sender's trace when its headers name one. */
  request<T>(headers: TraceHeaders, work: (span: Span | null) => Promise<T>): Promise<T>;
  /**
   * Work on many things at once, which came from these traces: a trace of its own, linked with each. Recorded when any of
   * them is; each of those gets a span too, from the begin to the end of the batch. The work runs within the span.
   */
  batch<T>(name: string, origins: readonly string[], attributes: SpanAttributes, work: () => Promise<T>): Promise<T>;
  /** The span that what runs here is part of. */
  current(): Span | null;
  /** Sends what is recorded and not sent yet, for a second at most. Never rejects. */
  close(): Promise<void>;
}

/** `traceparent` and `tracestate` of these are looked at. */
export type TraceHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Tracing that is off. */
export const noTracing: Tracing = {
  request: (_headers, work) => work(null),
  batch: (_name, _origins, _attributes, work) => work(),
  current: () => null,
  close: async () => undefined,
};
