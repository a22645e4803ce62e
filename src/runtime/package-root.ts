import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Compiled code lies deeper than its source; files that are read and not compiled lie below the package.json above both. */
export function packageRoot(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    if (folder === dirname(folder)) throw new Error('there is no package.json above the code');
  }
}
