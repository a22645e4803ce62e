import type { MessageProperties } from 'amqplib';

/**
 * A message of one interaction, or of one trace, has the W3C header that everybody knows. One whose bodies come from several
 * traces lists theirs besides, in the order of the bodies, empty where a body has none.
 */
export interface TraceHeaders {
  readonly traceparent: string;
  readonly traceparents?: readonly string[];
}

/** Of a message of `bodies`, those that are traced at their positions. Undefined when none is. */
export function traceHeadersOf(traced: ReadonlyMap<number, string>, bodies: number): TraceHeaders | undefined {
  const [first] = traced.values();
  if (first === undefined) return undefined;
  const traceparents = Array.from({ length: bodies }, (_, position) => traced.get(position) ?? '');
  return traceparents.every((one) => one === first) ? { traceparent: first } : { traceparent: first, traceparents };
}

/** Of the body at a position; null when it is not traced. Whatever others put into these headers, nothing is thrown. */
export function readTraceHeaders(headers: MessageProperties['headers']): (position: number) => string | null {
  const single: unknown = headers?.['traceparent'];
  if (typeof single !== 'string') return untraced;
  const several: unknown = headers?.['traceparents'];
  if (!Array.isArray(several)) return () => single;
  return (position) => {
    const one: unknown = several[position];
    return typeof one === 'string' && one !== '' ? one : null;
  };
}

function untraced(): null {
  return null;
}
