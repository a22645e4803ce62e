import { ImportFileError } from './import-file-error.ts';

const MAX_LINE_CHARACTERS = 1024 * 1024;
const PIECE_BYTES = 64 * 1024;

/** The lines of each chunk together: an await for every line would cost more than the line. No BOM, no line ends. */
export async function* readLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string[]> {
  const decoder = new TextDecoder();
  let rest = '';
  let count = 0;
  for await (const chunk of inPieces(bytes)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    count += lines.length;
    if (rest.length > MAX_LINE_CHARACTERS)
      throw new ImportFileError(`line ${count + 1} is over ${MAX_LINE_CHARACTERS} characters`);
    if (lines.length > 0) yield lines.map(withoutReturn);
  }
  rest += decoder.decode();
  if (rest !== '') yield [withoutReturn(rest)];
}

/** A block of bzip2 has 30,000 short lines, whose rows would all be in memory together. */
async function* inPieces(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    for (let from = 0; from < chunk.length; from += PIECE_BYTES) yield chunk.subarray(from, from + PIECE_BYTES);
  }
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
