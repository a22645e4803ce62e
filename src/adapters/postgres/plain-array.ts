/**
 * An array as Postgres reads it, of values that need no quotes in one: ids, numbers, names of an enum. As JavaScript arrays they
 * would each go through the client's and the driver's conversions, and cost more than all the rest.
 */
export function plainArray(values: readonly (string | number | bigint | boolean)[]): string {
  return `{${values.join(',')}}`;
}

/** For any other text in such an array. */
export function quoted(text: string): string {
  return `"${text.replaceAll(/[\\"]/g, String.raw`\$&`)}"`;
}
