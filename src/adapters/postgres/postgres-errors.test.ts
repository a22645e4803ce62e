import { expect, it } from 'vitest';
import { isTransient } from './postgres-errors.ts';

/** As Prisma gives what Postgres answered to raw SQL. */
function answer(originalCode: string, originalMessage: string): Error {
  const cause = { originalCode, originalMessage, kind: 'postgres' };
  return Object.assign(new Error('Raw query failed'), { code: 'P2010', meta: { driverAdapterError: { cause } } });
}

it.each([
  ['53100', 'could not extend file "base/16384/16515": No space left on device', true],
  ['42501', 'could not open file "base/16384/16669": Read-only file system', true],
  ['42501', 'permission denied for table interactions', false],
  ['25006', 'cannot execute INSERT in a read-only transaction', true],
  ['25P02', 'current transaction is aborted, commands ignored until end of transaction block', true],
  ['23505', 'duplicate key value violates unique constraint', false],
  ['22003', 'integer out of range: timeout exceeded', false],
])('%s, %s: may pass by itself: %s', (code, message, passes) => {
  expect(isTransient(answer(code, message))).toBe(passes);
});
