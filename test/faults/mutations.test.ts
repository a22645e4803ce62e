import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { packageRoot } from '../../src/runtime/package-root.ts';
import { MUTATIONS, mutated } from './mutations.ts';
import { ROWS } from './scenarios/rows.ts';

it.each(MUTATIONS)('the safety line "$line" is where the mutation check takes it away', (mutation) => {
  const text = readFileSync(join(packageRoot(), mutation.file), 'utf8');
  expect(mutated(text, mutation)).not.toBe(text);
  expect(ROWS.map(({ name }) => name)).toContain(mutation.row);
});

it('a safety line that is not found is an error, not a mutation without effect', () => {
  const [mutation] = MUTATIONS;
  if (mutation === undefined) throw new Error('no mutations');
  expect(() => mutated('something else', mutation)).toThrow(mutation.file);
});
