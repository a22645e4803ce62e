import { startProxy } from '../../end-to-end/start-proxy.ts';
import { waitFor } from '../../servers/wait-for.ts';
import { metricOf } from '../metric-of.ts';
import type { Arena, Row } from '../row.ts';

const ROUNDS = { quick: 1, full: 30 };

export const rollingRestarts: Row = {
  name: 'rolling-restarts',
  fault: 'worker and API rolling restarts, keep-alive clients with idempotency keys through nginx',
  async run(arena) {
    const { system, isQuick } = arena;
    const second = await system.supervise('api');
    const nginx = await startProxy([system.api.url, second.url], { isExempt: true });
    const requestsAt = (url: string): Promise<number> =>
      metricOf(url, 'groundswell_http_requests_total', 'status="200",route="api"');
    try {
      const writing = arena.write({ url: nginx.url, byKey: true });
      const reading = arena.read({ url: nginx.url });
      const isBalanced = (): Promise<void> =>
        waitFor('a share of the load at both', async () => {
          const counts = await Promise.all([system.api, second].map(({ metricsUrl }) => requestsAt(metricsUrl)));
          return counts.every((count) => count > 0);
        });
      await isBalanced();
      const codes: (number | null)[] = [];
      const redeliveredBefore = await countRedelivered(arena);
      const rounds = isQuick ? ROUNDS.quick : ROUNDS.full;
      for (let round = 0; round < rounds; round += 1) {
        for (const next of [system.api, system.worker, second]) {
          codes.push(await next.terminate());
          await next.start();
          await isBalanced();
        }
      }
      const redelivered = (await countRedelivered(arena)) - redeliveredBefore;
      // nginx asks another at once where that is harmless.
      await second.kill();
      await second.start();
      await isBalanced();
      await writing.stop();
      await reading.stop();
      const failed = writing.exchanges.filter(({ outcome }) => outcome !== 'accepted').length;
      const requests = writing.exchanges.length + reading.exchanges.length;
      const faults = writing.faults.length + reading.faults.length;
      arena.holds(
        '0 failed requests, one SIGKILL of an API included',
        requests > 0 && failed + faults === 0,
        `${failed + faults} of ${requests}`,
      );
      arena.holds(
        'each ends by itself',
        codes.every((code) => code === 0),
        `${codes.length} restarts in ${rounds} rounds`,
      );
      arena.holds('nothing redelivered', redelivered === 0, `${redelivered} messages`);
      await arena.recovers();
    } finally {
      await nginx.stop();
      await second[Symbol.asyncDispose]();
    }
  },
};

/** Messages that the broker has handed out more than once since it started. */
async function countRedelivered({ system }: Arena): Promise<number> {
  const counters = await system.rabbitmq.ctl(['eval', 'rabbit_global_counters:overview().']);
  const counts = [...counters.matchAll(/messages_redelivered_total\s*=>\s*(\d+)/g)];
  if (counts.length === 0) throw new Error(`no count of redeliveries: ${counters}`);
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}
