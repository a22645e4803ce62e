const TEXT = Symbol('text');

/** The `data` of an answer that a cache holds as JSON text: sent as that text, parsed only where somebody looks inside. */
export interface TextData {
  readonly [TEXT]: string;
  toJSON(): unknown;
}

export function textData(text: string): TextData & Record<string, unknown> {
  return { [TEXT]: text, toJSON: (): unknown => JSON.parse(text) };
}

/** The text, or undefined for data that is no such thing. */
export function textOf(data: unknown): string | undefined {
  if (typeof data !== 'object' || data === null || !(TEXT in data)) return undefined;
  return typeof data[TEXT] === 'string' ? data[TEXT] : undefined;
}
