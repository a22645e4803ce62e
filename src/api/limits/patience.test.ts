import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, it, vi } from 'vitest';
import { ANN, startTestApi } from '../../../test/fakes/test-api.ts';
import { DeadlineError } from '../../runtime/errors.ts';
import { codeOf, startTransport } from '../testing/transport.ts';
import { createPatience } from './patience.ts';

afterEach(() => void vi.useRealTimers());

const NEVER = new Promise<never>(() => undefined);
const LIKE = 'recordInteraction(input: { itemId: "a", type: LIKE }) { interaction { id } }';

it('a request that takes too long gets 503 SERVICE_UNAVAILABLE with Retry-After', async () => {
  await using api = await startTransport({ deadlineMs: 30 });
  const response = await api.post({ query: '{ slow }' });
  expect(response.status).toBe(503);
  expect(response.headers.get('retry-after')).toBe('1');
  expect(await codeOf(response)).toBe('SERVICE_UNAVAILABLE');
});

it('nothing more begins for a request whose time is up', async () => {
  const patience = createPatience({ destroyed: false }, 5);
  patience.check();
  expect(patience.leftMs()).toBeLessThanOrEqual(5);
  await expect(patience.wait(NEVER)).rejects.toThrow(DeadlineError);
  expect(() => patience.check()).toThrow(DeadlineError);
});

it('what takes as long as it takes may waive the deadline', async () => {
  vi.useFakeTimers();
  const patience = createPatience({ destroyed: false }, 5);
  const waiting = patience.wait(new Promise((resolve) => setTimeout(() => resolve('done'), 60_000)));
  patience.waive();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await waiting).toBe('done');
  patience.check();
});

it('a client that has hung up has no more read for it, and nothing written', async () => {
  await using api = await startTestApi();
  const gone = { as: ANN, client: { destroyed: true } };
  const read = await api.ask('{ popularItems { nodes { item { id } } } }', gone);
  expect(read.errors[0]?.code).toBe('CLIENT_GONE');
  expect(api.items.calls.find).toEqual([]);
  const written = await api.ask(`mutation { ${LIKE} }`, gone);
  expect(written.errors[0]?.code).toBe('CLIENT_GONE');
  expect(api.queue.published).toEqual([]);
});

it.each([
  LIKE,
  'retractInteraction(input: { itemId: "a", type: LIKE }) { interaction { id } }',
  'recordInteractions(inputs: [{ itemId: "a", type: LIKE }]) { results { interaction { id } } }',
])('a publish has no more time than is left of the request: %s', async (selection) => {
  await using api = await startTestApi();
  const { publish } = api.queue;
  api.queue.publish = async (...call) => {
    await publish(...call);
    await delay(60);
  };
  // The second waits for the first.
  expect((await api.ask(`mutation { first: ${LIKE} second: ${selection} }`, { as: ANN })).errors).toEqual([]);
  expect(api.queue.withinMs).toBeGreaterThan(0);
  expect(api.queue.withinMs).toBeLessThanOrEqual(9_950);
});
