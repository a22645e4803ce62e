import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { startStack } from '../stack/start-stack.ts';
import type { Stack } from '../stack/stack.ts';
import { createClients, type Clients } from './clients.ts';
import type { Fault } from './faults.ts';
import { prometheusApi, type PrometheusApi } from './prometheus-api.ts';
import { shortenRules } from './shorten-rules.ts';

const RULES = join(import.meta.dirname, '../prometheus/rules');
const RULE_FILE = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          alert: z.string().optional(),
          expr: z.string(),
          labels: z.object({ severity: z.string() }).optional(),
        }),
      ),
    }),
  ),
});

export interface Alert {
  /** Its name; of two with one name, for a fast and a slow pace, `Name (severity)` each. */
  readonly name: string;
  readonly expr: string;
}

/** All of deploy/prometheus/rules. */
export function shippedAlerts(): Alert[] {
  const rules = readdirSync(RULES).flatMap((file) =>
    RULE_FILE.parse(parse(readFileSync(join(RULES, file), 'utf8'))).groups.flatMap((group) => group.rules),
  );
  return rules.flatMap(({ alert, expr, labels }) =>
    alert === undefined ? [] : [{ name: `${alert} (${labels?.severity ?? ''})`, expr }],
  );
}

export interface AlertSuite {
  prometheus(): PrometheusApi;
}

/** They end when the window has passed, so all together are awaited at the end. */
const BURN_RATE = /BudgetBurn/;
/** Its forecast needs hours: within minutes it sees but the noise of a disk that others write to. */
export const DISK = 'PostgresDiskFilling (page)';

/**
 * Tests that a small stack from the shipped configuration, under a few clients, raises none of the `watched` alerts
 * while all is well, those of each fault while it lasts, and none of these any more when it is healed.
 */
export function alertSuite(faults: readonly Fault[], watched: readonly string[]): AlertSuite {
  let stack: Stack;
  let clients: Clients;
  let prometheus: PrometheusApi;
  let load: AsyncDisposable;

  beforeAll(async () => {
    stack = await startStack({
      apis: 1,
      workers: 1,
      replicas: 1,
      unlimited: true,
      adjustPrometheus: shortenRules,
      env: { WEB_CONCURRENCY: '2', MAX_REQUESTS_IN_FLIGHT: '48', DATABASE_POOL_SIZE: '30', LOG_LEVEL: 'warn' },
    });
    prometheus = prometheusApi(stack.prometheusUrl ?? '');
    clients = await createClients(stack);
    expect(await clients.items(Array.from({ length: 20 }, (_, index) => `item-${index}`))).toBe(200);
    load = clients.steadily();
  }, 300_000);
  afterAll(async () => {
    await load?.[Symbol.asyncDispose]();
    await stack?.stop();
  }, 120_000);

  it('no alert fires while all is well and clients come', { timeout: 400_000 }, async () => {
    await prometheus.untilScraped(60_000);
    // The first requests of cold processes are slow, and count for the longest of the windows.
    await prometheus.untilSilent(watched, 240_000);
  });

  for (const { title, raises, raisesHealed = [], begin } of faults) {
    it(`${title}: ${raises.join(', ')}`, { timeout: 400_000 }, async () => {
      const heal = await begin(stack, clients);
      try {
        await prometheus.untilFired(raises, 90_000);
      } finally {
        await heal();
      }
      await prometheus.untilFired(raisesHealed, 90_000);
      await prometheus.untilSilent(
        [...raises, ...raisesHealed].filter((name) => !BURN_RATE.test(name)),
        120_000,
      );
    });
  }

  it('no alert fires when all is healed', { timeout: 200_000 }, async () => {
    await prometheus.untilSilent(watched, 180_000);
  });
  return { prometheus: () => prometheus };
}
