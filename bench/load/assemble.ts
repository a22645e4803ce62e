export type Use = <T extends AsyncDisposable>(part: T) => T;

/** What `build` makes of the parts it uses; they end with it, the last one first, and at once when building fails. */
export async function assemble<T extends object>(build: (use: Use) => Promise<T>): Promise<T & AsyncDisposable> {
  const parts: AsyncDisposable[] = [];
  const dispose = async (): Promise<void> => {
    for (const part of parts.splice(0).toReversed()) await part[Symbol.asyncDispose]();
  };
  try {
    const whole = await build((part) => {
      parts.push(part);
      return part;
    });
    return { ...whole, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
