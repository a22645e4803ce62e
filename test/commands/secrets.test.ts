import { expect, it } from 'vitest';
import { createTestRedis } from '../servers/create-test-redis.ts';
import { freePort } from '../servers/free-port.ts';
import { testQueue } from '../servers/test-queue.ts';
import { waitFor } from '../servers/wait-for.ts';
import { runCommand } from './run-command.ts';
import { startCommand } from './start-command.ts';

const CANARY = 'canary-5f1d';
/** As it is, and as it stands in a header of basic authentication. */
const FORMS = [
  CANARY,
  encodeURIComponent(`${CANARY}!`),
  Buffer.from(`someone:${CANARY}`).toString('base64').slice(0, 16),
];

it('no secret is in what API, worker and commands say, however talkative and whatever fails', async () => {
  const [nobody, { url: redisUrl }, { url: amqpUrl, queue }] = [await freePort(), await createTestRedis(), testQueue()];
  const withPassword = (url: string): string => {
    const own = new URL(url);
    own.username = 'someone';
    own.password = `${CANARY}!`;
    return own.href;
  };
  const env = {
    DATABASE_URL: withPassword(`postgres://127.0.0.1:${nobody}/x`),
    DATABASE_DIRECT_URL: withPassword(`postgres://127.0.0.1:${nobody}/y`),
    DATABASE_REPLICA_URLS: withPassword(`postgres://127.0.0.1:${nobody}/z`),
    // Both answer, and refuse.
    AMQP_URL: withPassword(amqpUrl),
    REDIS_URL: withPassword(redisUrl),
    AMQP_MANAGEMENT_URL: withPassword(`http://127.0.0.1:${nobody}`),
    AUTH_JWT_SECRET: `${CANARY}-${'x'.repeat(32)}`,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${nobody}`,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer ${CANARY}`,
    OTEL_TRACES_SAMPLER: 'always_on',
    QUEUE_NAME: queue,
    LOG_LEVEL: 'trace',
  };
  const said: string[] = [];
  const expectNone = (): void => {
    for (const text of said) for (const form of FORMS) expect(text).not.toContain(form);
  };
  {
    await using api = await startCommand('api', env);
    await using worker = await startCommand('worker', env);
    for (const { url, headers, body } of [
      {
        url: `${api.url}/graphql`,
        headers: { authorization: `Bearer ${CANARY}` },
        body: '{"query":"{ viewer { id } }"}',
      },
      { url: `${api.url}/graphql`, headers: {}, body: '{"query":"{ popularItems { asOf } }"}' },
    ]) {
      const request = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body };
      said.push(await (await fetch(url, request)).text());
    }
    for (const url of [`${api.url}/health/ready`, `${worker.metricsUrl}/health/ready`, `${api.metricsUrl}/metrics`]) {
      said.push(await (await fetch(url)).text());
    }
    await waitFor('each to say what is wrong', () =>
      [api, worker].every(({ output }) => /RabbitMQ is away/.test(output()) && /not ready yet/.test(output())),
    );
    for (const process of [api, worker]) {
      process.signal('SIGTERM');
      expect(await process.ended()).toBe(0);
      said.push(process.output());
    }
  }
  for (const command of ['doctor', 'migrate']) {
    const { stdout, stderr } = await runCommand(command, env);
    said.push(stdout, stderr);
  }
  // A value in the wrong place.
  const wrong = await runCommand('api', {
    ...env,
    PORT: CANARY,
    AMQP_URL: `wrong://x:${CANARY}@y`,
    AUTH_JWT_SECRET: CANARY,
  });
  expect(wrong.exitCode).toBe(78);
  said.push(wrong.stdout, wrong.stderr);
  expect(said.join('').length).toBeGreaterThan(2_000);
  expectNone();
});
