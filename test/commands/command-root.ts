import { join } from 'node:path';
import { buildRelease } from '../../deploy/stack/release.ts';

/** Inherited by the processes that run the tests. */
const COMMAND_ROOT_VARIABLE = 'GROUNDSWELL_TEST_RELEASE';

/** Started from here, a command is what `npm start` and `npm run` make of it. */
export const SOURCES: string = join(import.meta.dirname, '../..');

/**
 * From here on commands start from a release, compiled once and laid out as in the image: a start from the sources takes a second more
 * of a core, and there are some two hundred.
 */
export async function startFromRelease(): Promise<void> {
  process.env[COMMAND_ROOT_VARIABLE] = await buildRelease();
}

/** The package that tests start commands from. */
export function commandRoot(): string {
  return process.env[COMMAND_ROOT_VARIABLE] ?? SOURCES;
}
