import { expect, it } from 'vitest';
import { createDrainList } from './drain-list.ts';
import { createLogger } from './logger.ts';

it('ends what was started in the opposite order, each once, goes on after one that fails, and then says so', async () => {
  const list = createDrainList(createLogger('silent', 'test'));
  const ended: string[] = [];
  list.add('first', async () => void ended.push('first'));
  list.add('second', () => Promise.reject(new Error('no')));
  list.add('third', async () => void ended.push('third'));
  await expect(list.drain()).rejects.toThrow('second');
  await list.drain();
  expect(ended).toEqual(['third', 'first']);
  list.add('fourth', () => Promise.reject(new Error('no')));
  await list.abandon();
});
