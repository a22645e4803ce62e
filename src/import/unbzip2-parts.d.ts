declare module 'unbzip2-stream/lib/bzip2.js' {
  import type { BitReader } from 'unbzip2-stream/lib/bit_iterator.js';

  const bzip2: {
    /** The block size in units of 100,000 bytes. */
    header(bits: BitReader): number;
    /** One block, byte by byte; gives the checksum so far, or null at the end of the stream. */
    decompress(
      bits: BitReader,
      put: (byte: number) => void,
      work: Int32Array,
      workSize: number,
      checksum: number,
    ): number | null;
  };
  export = bzip2;
}

declare module 'unbzip2-stream/lib/bit_iterator.js' {
  namespace bitIterator {
    interface BitReader {
      (count: number | null): number;
      bytesRead: number;
    }
  }
  function bitIterator(nextBuffer: () => Uint8Array): bitIterator.BitReader;
  export = bitIterator;
}
