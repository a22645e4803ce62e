import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { badRequest, ClientGoneError, HttpError, serviceBusy } from './http-error.ts';

const DECODERS: Readonly<Record<string, (() => Transform) | undefined>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/** There is always room for so much of a body: those that send slowly would take it from everybody. */
const SMALL_BYTES = 16_384;

/** Bodies of which a part is here, of all requests together. */
export interface Incoming {
  bytes: number;
  readonly maxBytes: number;
  onFull(): void;
}

/**
 * The body as text. `maxBytes` bounds what comes in and what it inflates to.
 * Throws HttpError 413, 415, 400, or 503 where no more fits in `incoming`; ClientGoneError when the sender leaves half-way.
 */
export async function readBody(request: IncomingMessage, maxBytes: number, incoming: Incoming): Promise<string> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const decoder = decoderFor(request.headers['content-encoding']);
  const bytes = await collect(request, decoder, maxBytes, incoming);
  if (!isUtf8(bytes)) throw badRequest('The body is not valid UTF-8.');
  return bytes.toString('utf8');
}

function decoderFor(encoding: string | undefined): Transform | null {
  if (encoding === undefined || encoding === '') return null;
  const name = encoding.trim().toLowerCase();
  if (name === 'identity') return null;
  const create = Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined;
  if (create === undefined) {
    throw new HttpError(415, 'UNSUPPORTED_CONTENT_ENCODING', 'Content-Encoding may be gzip, deflate or br.', {
      headers: { 'accept-encoding': 'gzip, deflate, br' },
    });
  }
  return create();
}

function collect(
  request: IncomingMessage,
  decoder: Transform | null,
  maxBytes: number,
  incoming: Incoming,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const source = decoder ?? request;
    const chunks: Buffer[] = [];
    let size = 0;
    let received = 0;
    let settled = false;

    if (request.destroyed) {
      reject(new ClientGoneError());
      return;
    }
    const fail = (error: Error): void => {
      if (settled) return;
      settled = true;
      chunks.length = 0;
      incoming.bytes -= size;
      if (decoder !== null) {
        request.unpipe(decoder);
        decoder.destroy();
        // The rest of it is thrown away, or the next request on the connection is never read.
        request.resume();
      }
      reject(error);
    };
    source.on('data', (chunk: Buffer) => {
      if (settled) return;
      size += chunk.length;
      incoming.bytes += chunk.length;
      chunks.push(chunk);
      if (size > maxBytes) fail(tooLarge(maxBytes));
      else if (incoming.bytes > incoming.maxBytes && size > SMALL_BYTES) {
        incoming.onFull();
        fail(serviceBusy());
      }
    });
    source.on('end', () => {
      if (settled) return;
      settled = true;
      incoming.bytes -= size;
      const [only] = chunks;
      resolve(only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks, size));
    });
    request.on('error', () => fail(new ClientGoneError()));
    request.on('close', () => {
      if (!request.complete) fail(new ClientGoneError());
    });
    if (decoder !== null) {
      decoder.on('error', () => fail(badRequest('The body does not decompress.')));
      request.on('data', (chunk: Buffer) => {
        received += chunk.length;
        if (received > maxBytes) fail(tooLarge(maxBytes));
      });
      request.pipe(decoder);
    }
  });
}

function tooLarge(maxBytes: number): HttpError {
  return new HttpError(413, 'PAYLOAD_TOO_LARGE', `The body is larger than ${maxBytes} bytes, or inflates to more.`);
}
