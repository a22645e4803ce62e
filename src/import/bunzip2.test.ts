import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bunzip2 } from './bunzip2.ts';

/** A stream that says "hello\n". */
const HELLO = Buffer.from('QlpoOTFBWSZTWcHAgOIAAAFBAAAQAkSgADDNAMNGKZcXckU4UJDBwIDi', 'base64');
const SAMPLE = join(import.meta.dirname, '../../test/sample/reviews.csv.bz2');

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

async function text(source: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bunzip2(source)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

it('gives what was compressed, however the bytes come in', async () => {
  const whole = await text(createReadStream(SAMPLE));
  expect(whole.split('\n')).toHaveLength(4_198);
  expect(await text(pieces(await readFile(SAMPLE), 1_000))).toBe(whole);
  expect(await text(pieces(HELLO, 1))).toBe('hello\n');
});

it('reads streams that follow each other, as parallel compressors write them', async () => {
  expect(await text(pieces(Buffer.concat([HELLO, HELLO]), 7))).toBe('hello\nhello\n');
});

it('a file that is cut off or changed is an error', async () => {
  await expect(text(pieces(HELLO.subarray(0, -5), 100))).rejects.toThrow();
  const changed = Buffer.from(HELLO);
  changed.writeUInt8(0xff, 12);
  await expect(text(pieces(changed, 100))).rejects.toThrow();
});
