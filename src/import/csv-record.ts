export type CsvRecord =
  | { readonly kind: 'cells'; readonly cells: string[] }
  /** A quote is open at the end of the text: the record goes on in the next line. */
  | { readonly kind: 'open' }
  | { readonly kind: 'fault'; readonly fault: string };

/**
 * One record as in RFC 4180. A quote inside a field that does not start with one stands for itself. Why not a library: the
 * one at hand loses the record after a broken one without a word, and giving line numbers triples its time.
 */
export function parseCsvRecord(text: string): CsvRecord {
  if (!text.includes('"')) return { kind: 'cells', cells: text.split(',') };
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      const end = closingQuote(text, at + 1);
      if (end === -1) return { kind: 'open' };
      cells.push(text.slice(at + 1, end).replaceAll('""', '"'));
      at = end + 1;
      if (at < text.length && text[at] !== ',') {
        return {
          kind: 'fault',
          fault: `after the closing quote of field ${cells.length} comes ${JSON.stringify(text[at])}, not a comma`,
        };
      }
    } else {
      const comma = text.indexOf(',', at);
      const end = comma === -1 ? text.length : comma;
      cells.push(text.slice(at, end));
      at = end;
    }
    if (at >= text.length) return { kind: 'cells', cells };
    at += 1;
  }
}

function closingQuote(text: string, from: number): number {
  let at = text.indexOf('"', from);
  while (at !== -1 && text[at + 1] === '"') at = text.indexOf('"', at + 2);
  return at;
}
