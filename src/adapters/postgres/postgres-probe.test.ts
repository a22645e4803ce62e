import { expect, it, vi } from 'vitest';
import { UnavailableError } from '../../runtime/errors.ts';
import { askOnce, holdWhileAnswering } from './postgres-probe.ts';

const never = (): Promise<never> => new Promise(() => undefined);

/** A probe whose looks end as listed, one after the other. */
function probeOf(looks: (() => Promise<string | null>)[], silentMs: () => number): () => Promise<string | null> {
  return holdWhileAnswering(() => (looks.shift() ?? never)(), silentMs);
}

const away = (): Promise<never> => Promise.reject(new UnavailableError('no connection in time'));

it('holds what was found last while a look waits and others are answered', async () => {
  const probe = probeOf([async () => null, never, async () => 'is a read-only standby', never], () => 100);
  expect(await probe()).toBeNull();
  expect(await probe()).toBeNull();
  expect(await probe()).toBe('is a read-only standby');
  expect(await probe()).toBe('is a read-only standby');
});

it('does so too when the look got no connection, until nobody is answered any more', async () => {
  let silentMs = 100;
  const probe = probeOf([async () => null, away, away], () => silentMs);
  expect(await probe()).toBeNull();
  expect(await probe()).toBeNull();
  silentMs = 2_000;
  expect(await probe()).toBe('no connection in time');
});

it('is not well before the first answer, and says at once what is no matter of waiting', async () => {
  expect(await probeOf([never], () => 100)()).toBe('has not answered yet');
  const denied = async (): Promise<never> => Promise.reject(new Error('permission denied'));
  expect(await probeOf([denied], () => 100)()).toBe('permission denied');
});

it('asked once it waits for the answer, however slow', async () => {
  vi.useFakeTimers();
  try {
    const asked = askOnce(() => new Promise((resolve) => setTimeout(resolve, 10_000, null)))();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await asked).toBeNull();
  } finally {
    vi.useRealTimers();
  }
  expect(await askOnce(away)()).toBe('no connection in time');
});
