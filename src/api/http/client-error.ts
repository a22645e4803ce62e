import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { errorAnswer } from './http-answer.ts';
import { badRequest, HttpError } from './http-error.ts';

/** Answers what is no HTTP request, or comes too slowly. `answeredEarly`: connections that have had their answer. */
export function answerClientError(
  error: Error & { code?: string },
  socket: Duplex,
  answeredEarly: WeakSet<Duplex>,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable || answeredEarly.has(socket)) {
    socket.destroy();
    return;
  }
  const { status, headers, body } = errorAnswer(toHttpError(error.code));
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

function toHttpError(code: string | undefined): HttpError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new HttpError(408, 'REQUEST_TIMEOUT', 'The request did not arrive in time.');
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new HttpError(431, 'HEADERS_TOO_LARGE', 'The request line and headers are larger than 16 KiB.');
  }
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') {
    return new HttpError(413, 'PAYLOAD_TOO_LARGE', 'The chunk extensions are too large.');
  }
  return badRequest('This is not a valid HTTP request.');
}
