import { expect, it } from 'vitest';
import { createDrainList } from './drain-list.ts';
import { createLogger } from './logger.ts';

it('ends what was started in the opposite order, each once, and goes on after one that fails', async () => {
  const list = createDrainList(createLogger('silent', 'test'));
  const ended: string[] = [];
  list.add('first', async () => void ended.push('first'));
  list.add('second', () => Promise.reject(new Error('no')));
  list.add('third', async () => void ended.push('third'));
  await list.drain();
  await list.drain();
  expect(ended).toEqual(['third', 'first']);
});
