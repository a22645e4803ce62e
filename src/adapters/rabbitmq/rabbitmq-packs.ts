import type { MessageProperties } from 'amqplib';
import { traceHeadersOf, type TraceHeaders } from './rabbitmq-trace-headers.ts';

/**
 * A message may carry several bodies, a line each, and then says so by its content type. Readable in the broker's own tools,
 * and a message with one body is no different from one that anybody else publishes.
 */
const PACKED = 'application/x-ndjson';
const NEWLINE = 10;
/**
 * A message costs the broker about the same whether it holds one body or thirty. More in one would gain little, and bring
 * more innocents back with a redelivery. A worker's prefetch counts messages: this also bounds what it holds.
 */
export const MAX_BODIES_PER_PACK = 32;
const MAX_PACK_BYTES = 32 * 1024;

/** One object for all messages of a kind: nothing in it differs between them. */
const SINGLE_OPTIONS = { persistent: true, mandatory: true, contentType: 'application/json' };
const PACKED_OPTIONS = { ...SINGLE_OPTIONS, contentType: PACKED };

export interface Pack<Owner> {
  readonly content: Buffer;
  readonly options: typeof SINGLE_OPTIONS & { readonly headers?: TraceHeaders };
  /** Whose bodies it holds. */
  readonly owners: readonly Owner[];
}

export interface Packer<Owner> {
  /** How many messages these bodies will be in, at least in part. */
  add(owner: Owner, bodies: readonly Buffer[], traceparent?: string | null): number;
  packs(): readonly Pack<Owner>[];
}

/** Puts bodies into as few messages as they fit in, in order. A body that holds a line break goes alone. */
export function createPacker<Owner>(): Packer<Owner> {
  const packs: Pack<Owner>[] = [];
  let bodies: Buffer[] = [];
  let bytes = 0;
  let owners: Owner[] = [];
  /** By the position of the body. */
  const traced = new Map<number, string>();

  function close(): void {
    const [only] = bodies;
    if (only === undefined) return;
    const content = bodies.length === 1 ? only : joinLines(bodies, bytes);
    const options = bodies.length === 1 ? SINGLE_OPTIONS : PACKED_OPTIONS;
    const headers = traced.size === 0 ? undefined : traceHeadersOf(traced, bodies.length);
    packs.push({ content, options: headers === undefined ? options : { ...options, headers }, owners });
    traced.clear();
    bodies = [];
    owners = [];
    bytes = 0;
  }

  return {
    add(owner, added, traceparent = null) {
      let count = 0;
      for (const body of added) {
        const alone = body.includes(NEWLINE) || body.byteLength === 0;
        if (alone || bodies.length === MAX_BODIES_PER_PACK || bytes + body.byteLength >= MAX_PACK_BYTES) close();
        if (owners.at(-1) !== owner) {
          owners.push(owner);
          count += 1;
        }
        if (traceparent !== null) traced.set(bodies.length, traceparent);
        bodies.push(body);
        bytes += body.byteLength + 1;
        if (alone) close();
      }
      return count;
    },
    packs() {
      close();
      return packs;
    },
  };
}

function joinLines(bodies: readonly Buffer[], bytes: number): Buffer {
  const content = Buffer.allocUnsafe(bytes - 1);
  let at = 0;
  for (const body of bodies) {
    if (at > 0) content[at++] = NEWLINE;
    at += body.copy(content, at);
  }
  return content;
}

/** The bodies of a message, whoever published it. Empty lines hold none. */
export function unpack(content: Buffer, { contentType }: Pick<MessageProperties, 'contentType'>): Buffer[] {
  if (contentType !== PACKED) return [content];
  const bodies: Buffer[] = [];
  for (let from = 0; from < content.length;) {
    const end = content.indexOf(NEWLINE, from);
    const to = end === -1 ? content.length : end;
    if (to > from) bodies.push(content.subarray(from, to));
    from = to + 1;
  }
  return bodies;
}
