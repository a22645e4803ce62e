import bitIterator, { type BitReader } from 'unbzip2-stream/lib/bit_iterator.js';
import bzip2 from 'unbzip2-stream/lib/bzip2.js';

const BLOCK_UNIT = 100_000;
/** A block may grow by as much when it cannot be compressed. */
const BLOCK_OVERHEAD = 25_000;

/**
 * Decompresses bzip2, of several streams one after the other too. The package's own stream collects each block of 900,000
 * bytes in an array of numbers, 50 MB more at the peak, and is of a kind that has no iterator.
 */
export async function* bunzip2(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const waiting: Uint8Array[] = [];
  let received = 0;
  let ended = false;
  const bits = bitIterator(() => {
    const next = waiting.shift();
    if (next === undefined && !ended) return new Uint8Array();
    if (next === undefined) throw new Error('unexpected end of file');
    return next;
  });
  const blocks = createBlockReader(bits);
  for await (const chunk of source) {
    waiting.push(chunk);
    received += chunk.length;
    // Reading bits cannot wait, so the next block has to be here whole.
    while (received - bits.bytesRead > blocks.mostBytes()) yield* blocks.next();
  }
  ended = true;
  while (received > bits.bytesRead) yield* blocks.next();
  if (blocks.isOpen()) throw new Error('unexpected end of file');
}

function createBlockReader(bits: BitReader) {
  let units = 0;
  let checksum = 0;
  let work = new Int32Array();
  let output = Buffer.alloc(BLOCK_UNIT);
  return {
    mostBytes: () => BLOCK_OVERHEAD + BLOCK_UNIT * Math.max(units, 1),
    isOpen: () => units > 0,
    /** Reads a header or a block; gives what it holds. */
    next(): Uint8Array[] {
      if (units === 0) {
        units = bzip2.header(bits);
        checksum = 0;
        if (work.length !== units * BLOCK_UNIT) work = new Int32Array(units * BLOCK_UNIT);
        return [];
      }
      let length = 0;
      const put = (byte: number): void => {
        // Runs of equal bytes make a block larger than its name says.
        if (length === output.length) output = Buffer.concat([output], output.length * 2);
        output[length] = byte;
        length += 1;
      };
      const result = bzip2.decompress(bits, put, work, work.length, checksum);
      if (result === null) units = 0;
      else checksum = result;
      return length === 0 ? [] : [Uint8Array.prototype.slice.call(output, 0, length)];
    },
  };
}
