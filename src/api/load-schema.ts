import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The contract: `schema.graphql` beside the package.json above this file, wherever it was compiled to. */
export function loadSchemaText(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const file = join(folder, 'schema.graphql');
    if (existsSync(file)) return readFileSync(file, 'utf8');
    if (folder === dirname(folder)) throw new Error(`no schema.graphql above ${import.meta.dirname}`);
  }
}
