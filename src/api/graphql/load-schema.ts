import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../runtime/package-root.ts';

/** The contract, written by hand. */
export function loadSchemaText(): string {
  return readFileSync(join(packageRoot(), 'schema.graphql'), 'utf8');
}
