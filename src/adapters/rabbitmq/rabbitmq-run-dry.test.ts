import { expect, it } from 'vitest';
import { runDry } from './rabbitmq-run-dry.ts';
import { createSubscription, type Subscription } from './rabbitmq-subscription.ts';

const PREFETCH = 100;
const WITHIN_MS = 4_000;

/** How often it asked, each time with so many more on their way, and what it had in hand in the end. */
async function runWith(
  subscription: Subscription,
  arriving: readonly number[],
): Promise<{ asked: number; out: number }> {
  const onTheirWay = [...arriving];
  let asked = 0;
  await runDry(subscription, {
    prefetch: PREFETCH,
    withinMs: WITHIN_MS,
    async allSent() {
      asked += 1;
      subscription.inHand += onTheirWay.shift() ?? 0;
    },
    hurry: () => undefined,
    isOver: () => false,
  });
  return { asked, out: subscription.inHand };
}

it('takes the silence of a broker whose disk is busy for no end: what it had accepted comes first', async () => {
  expect(await runWith(createSubscription('q', 'single'), [33, PREFETCH - 33])).toEqual({ asked: 2, out: PREFETCH });
});

it('ends where nothing is on its way, however little came', async () => {
  const subscription = createSubscription('q', 'single');
  subscription.inHand = 3;
  expect(await runWith(subscription, [0])).toEqual({ asked: 1, out: 3 });
});

it('ends at once where the broker may send no more', async () => {
  const subscription = createSubscription('q', 'single');
  subscription.inHand = PREFETCH;
  expect(await runWith(subscription, [])).toEqual({ asked: 0, out: PREFETCH });
});
