import { join } from 'node:path';

/** Set by the global setup, and inherited by the processes that run the tests. */
export const COMMAND_ROOT_VARIABLE = 'GROUNDSWELL_TEST_RELEASE';

/** Started from here, a command is what `npm start` and `npm run` make of it. */
export const SOURCES: string = join(import.meta.dirname, '../..');

/**
 * The package that tests start commands from. In a test run it was compiled once, laid out as in the image: a start
 * from the sources takes a second more of a core, and there are some two hundred.
 */
export function commandRoot(): string {
  return process.env[COMMAND_ROOT_VARIABLE] ?? SOURCES;
}
