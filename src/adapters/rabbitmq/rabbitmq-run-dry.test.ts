import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { runDry } from './rabbitmq-run-dry.ts';
import { countArrival, createSubscription, type Subscription } from './rabbitmq-subscription.ts';

const PREFETCH = 100;

function running(subscription: Subscription): { readonly done: Promise<void>; readonly isDry: () => boolean } {
  let isDry = false;
  const done = runDry(subscription, {
    prefetch: PREFETCH,
    withinMs: 4_000,
    depth: async () => 0,
    hurry: () => undefined,
    isOver: () => false,
  }).then(() => void (isDry = true));
  return { done, isDry: () => isDry };
}

it('takes a pause for the end only when it is longer than a broker holds its breath', async () => {
  const subscription = createSubscription('q', false);
  for (let n = 0; n < PREFETCH; n += 1) countArrival(subscription);
  const { done, isDry } = running(subscription);
  await delay(300);
  expect(isDry()).toBe(false);
  // Then it goes on, and all comes that may.
  subscription.inHand = PREFETCH;
  await done;
});

it('waits for nothing where so little came that the prefetch will not be full in time', async () => {
  const subscription = createSubscription('q', false);
  countArrival(subscription);
  const startedMs = performance.now();
  await running(subscription).done;
  expect(performance.now() - startedMs).toBeLessThan(2_000);
});

it('ends once what came fast has stopped coming', async () => {
  const subscription = createSubscription('q', false);
  for (let n = 0; n < PREFETCH; n += 1) countArrival(subscription);
  const startedMs = performance.now();
  await running(subscription).done;
  expect(performance.now() - startedMs).toBeLessThan(3_500);
});
