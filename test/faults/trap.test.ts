import { expect, it } from 'vitest';
import { beforeCommit, beforeCommitIsKnown, withTransaction } from './trap.ts';

it('a trap tells what was sent in the transaction that it holds, and nothing of those before', () => {
  const told: string[] = [];
  const trap = withTransaction(beforeCommit, (sent) => void told.push(sent))();
  for (const text of ['BEGIN', 'SELECT first', 'COMMIT', 'BEG', 'IN', 'INSERT INTO interactions second']) {
    expect(trap.toServer(Buffer.from(text)), text).toBe(false);
  }
  expect(told).toEqual([]);
  expect(trap.toServer(Buffer.from('COMMIT'))).toBe(true);
  expect(told).toEqual(['BEGININSERT INTO interactions secondCOMMIT']);
});

it('a trap that waits for the answer to a commit tells the same', () => {
  const told: string[] = [];
  const trap = withTransaction(beforeCommitIsKnown, (sent) => void told.push(sent))();
  expect(trap.toServer(Buffer.from('BEGIN INSERT INTO interactions it COMMIT'))).toBe(false);
  expect(trap.toProgram(Buffer.from('COMMIT'))).toBe(true);
  expect(told).toEqual(['BEGIN INSERT INTO interactions it COMMIT']);
});
