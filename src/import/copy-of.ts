/** The same text by itself: a part of a line keeps all that was read with it in memory. */
export function copyOf(text: string): string {
  return Buffer.from(text).toString();
}
