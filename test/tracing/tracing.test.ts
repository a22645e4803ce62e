import { connect, type Message } from 'amqplib';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../commands/run-command.ts';
import { startCommand, type RunningCommand } from '../commands/start-command.ts';
import { as, asAdmin, ask, type Answer } from '../end-to-end/system.ts';
import { createTestDatabase, type TestDatabase } from '../servers/create-test-database.ts';
import { testQueue } from '../servers/test-queue.ts';
import { waitFor } from '../servers/wait-for.ts';
import { startCollector, type Collector, type CollectedSpan } from './start-collector.ts';

const SERVER = 2;
const CLIENT = 3;
const PRODUCER = 4;
const CONSUMER = 5;
const CLOCK_STEP_NANOS = 2_000_000n;
const RECORD = `mutation RecordInteraction($input: RecordInteractionInput!) {
  recordInteraction(input: $input) { interaction { id } userErrors { code } } }`;
/** Node writes every module that it loads to standard error. */
const LIST_MODULES = { NODE_DEBUG: 'module' };
const SECRET = 'a-word-that-people-sent';

interface ReadinessPart {
  readonly name: string;
  readonly problem: string | null;
}

let collector: Collector;
let database: TestDatabase;
/** Without tracing. */
let env: Record<string, string>;
let tracedEnv: Record<string, string>;
let api: RunningCommand;
let worker: RunningCommand;

/** API and worker that record what their clients record, and begin no trace of their own. */
beforeAll(async () => {
  collector = await startCollector();
  database = await createTestDatabase();
  const { url: amqpUrl, queue } = testQueue();
  env = {
    DATABASE_URL: database.url,
    DATABASE_REPLICA_URLS: database.replicaUrls.join(','),
    AMQP_URL: amqpUrl,
    QUEUE_NAME: queue,
    LOG_LEVEL: 'warn',
    // However busy the machine is, what is published goes to the broker.
    QUEUE_PUBLISH_DEADLINE_MS: '20000',
  };
  tracedEnv = {
    ...env,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=groundswell%20test',
    OTEL_TRACES_SAMPLER_ARG: '0',
    OTEL_BSP_SCHEDULE_DELAY: '100',
  };
  const migrated = await runCommand('migrate', env);
  if (migrated.exitCode !== 0) throw new Error(migrated.stderr);
  [api, worker] = await Promise.all([
    startCommand('api', { ...tracedEnv, ...LIST_MODULES }),
    startCommand('worker', tracedEnv),
  ]);
  await untilOnBroker(api);
  await ask(
    api,
    'mutation ($items: [ItemInput!]!) { upsertItems(items: $items) { userErrors { code } } }',
    { items: [{ id: SECRET, title: SECRET }] },
    asAdmin,
  );
});
afterAll(async () => {
  await Promise.all([api, worker].map((command) => command[Symbol.asyncDispose]()));
  await database.drop();
  await collector[Symbol.asyncDispose]();
});

/** What a client that traces sends along. */
function clientTrace({ sampled = true } = {}) {
  const traceId = randomBytes(16).toString('hex');
  const spanId = randomBytes(8).toString('hex');
  return { traceId, spanId, headers: { traceparent: `00-${traceId}-${spanId}-${sampled ? '01' : '00'}` } };
}

async function record(at: RunningCommand, headers: Record<string, string>): Promise<Answer> {
  const input = { itemId: SECRET, type: 'VIEW', metadata: { word: SECRET } };
  const answer = await ask(at, RECORD, { input }, { ...as(SECRET), ...headers });
  expect(answer.body).toMatchObject({ data: { recordInteraction: { userErrors: [] } } });
  return answer;
}

const childOf =
  (parent: CollectedSpan, name: string) =>
  (span: CollectedSpan): boolean =>
    span.traceId === parent.traceId && span.parentSpanId === parent.spanId && span.name === name;
const isLinkedWith =
  (to: CollectedSpan, name: string) =>
  (span: CollectedSpan): boolean =>
    span.name === name && span.links.some(({ traceId, spanId }) => traceId === to.traceId && spanId === to.spanId);

describe('a mutation of a client that traces', () => {
  const client = clientTrace();
  let request: CollectedSpan;
  let publish: CollectedSpan;
  let batch: CollectedSpan;

  beforeAll(async () => {
    // Others, accepted in the same turns and recorded in the same batch.
    const unsampled = Array.from({ length: 20 }, () => record(api, clientTrace({ sampled: false }).headers));
    await Promise.all([...unsampled, record(api, client.headers), record(api, {})]);
    request = await collector.span('the request', ({ traceId, kind }) => traceId === client.traceId && kind === SERVER);
    publish = await collector.span('the publish', childOf(request, `publish ${env['QUEUE_NAME']}`));
    batch = await collector.span('the batch', isLinkedWith(publish, 'record batch'));
  });

  it('goes on with its trace, under the registered name of the operation', () => {
    expect(request).toMatchObject({
      service: 'groundswell-api',
      name: 'mutation RecordInteraction',
      parentSpanId: client.spanId,
      failed: false,
      attributes: { 'http.request.method': 'POST', 'http.response.status_code': 200 },
    });
  });

  it('is traced through the confirm, and through its batch, to the acknowledgement', async () => {
    expect(publish).toMatchObject({ kind: PRODUCER, attributes: { 'messaging.system': 'rabbitmq' } });
    // Each span has a clock of its own, set to whole milliseconds where it begins.
    expect(publish.endNanos).toBeLessThanOrEqual(request.endNanos + CLOCK_STEP_NANOS);
    const processed = await collector.span('its part of the batch', childOf(publish, 'process interaction'));
    expect(processed).toMatchObject({ service: 'groundswell-worker', kind: CONSUMER });
    expect(processed.links).toEqual([{ traceId: batch.traceId, spanId: batch.spanId }]);

    expect(processed.endNanos + CLOCK_STEP_NANOS).toBeGreaterThanOrEqual(batch.endNanos);
  });

  it('has the batch linked to it, as a trace of its own, with every statement of its transaction below', async () => {
    expect(batch).toMatchObject({ service: 'groundswell-worker', kind: CONSUMER, parentSpanId: undefined });
    expect(batch.traceId).not.toBe(client.traceId);
    await collector.span('the commit', childOf(batch, 'COMMIT'));
    const statements = collector.spans.filter(({ parentSpanId }) => parentSpanId === batch.spanId);
    expect(statements.every(({ kind, traceId }) => kind === CLIENT && traceId === batch.traceId)).toBe(true);
    const names = statements.toSorted((a, b) => Number(a.startNanos - b.startNanos)).map(({ name }) => name);
    expect(names.indexOf('BEGIN')).toBeGreaterThanOrEqual(0);
    expect(names.indexOf('INSERT interactions')).toBeGreaterThan(names.indexOf('BEGIN'));
    expect(names.at(-1)).toBe('COMMIT');
    const insert = statements.find(({ name }) => name === 'INSERT interactions');
    expect(insert?.attributes).toMatchObject({ 'db.system.name': 'postgresql', 'db.namespace': database.name });
    expect(insert?.attributes['db.query.text']).toContain('$1');
  });

  it('brings nothing else along: what is not sampled is not recorded, and no value that people sent', () => {
    const roots = collector.spans.filter(({ kind }) => kind === SERVER);
    expect(new Set(roots.map(({ traceId }) => traceId))).toEqual(new Set([client.traceId]));
    expect(batch.links).toHaveLength(1);
    expect(collector.received()).not.toContain(SECRET);
    expect(collector.headers()['x-tenant']).toBe('groundswell test');
  });
});

it('what the outbox takes in place of the broker is linked as well, its insert below the publish', async () => {
  await using brokerless = await startCommand('api', { ...tracedEnv, AMQP_URL: 'amqp://127.0.0.1:1' });
  const client = clientTrace();
  await record(brokerless, client.headers);
  const inTrace = (name: string) => (span: CollectedSpan) => span.traceId === client.traceId && span.name === name;
  const refused = await collector.span('the refused publish', inTrace(`publish ${env['QUEUE_NAME']}`));
  expect(refused).toMatchObject({ failed: true, attributes: { 'error.type': 'UNAVAILABLE' } });
  const publish = await collector.span('the publish', inTrace('publish outbox'));
  await collector.span('its insert', childOf(publish, 'INSERT outbox'));
  const batch = await collector.span('the batch', isLinkedWith(publish, 'record batch'));
  await collector.span('the rows taken from the outbox', childOf(batch, 'DELETE outbox'));
  await collector.span('the commit', childOf(batch, 'COMMIT'));
});

it('a read shows its statements, on the server that answers them, and none when the cache does', async () => {
  const question = 'query PopularItems { popularItems(first: 3) { nodes { item { id } } } }';
  const client = clientTrace();
  const isRead = ({ traceId, name }: CollectedSpan): boolean =>
    traceId === client.traceId && name === 'query PopularItems';
  await ask(api, question, {}, client.headers);
  const read = await collector.span('the read', isRead);
  expect(read.attributes).toMatchObject({ 'groundswell.response_cache.hit': false });
  const standings = await collector.span('the standings', childOf(read, 'SELECT standing_lists'));
  expect(standings.attributes['server.port']).toBe(Number(new URL(database.replicaUrls[0] ?? '').port));

  const fromCache = (span: CollectedSpan): boolean => span.attributes['groundswell.response_cache.hit'] === true;
  await waitFor('an answer from the cache', async () => {
    const asked = [clientTrace(), clientTrace()];
    for (const { headers } of asked) await ask(api, question, {}, headers);
    const again = asked[1]?.traceId;
    const cached = await collector.span('the read', ({ traceId, kind }) => traceId === again && kind === SERVER);
    return fromCache(cached) && !collector.spans.some(({ parentSpanId }) => parentSpanId === cached.spanId);
  });
});

it('off, neither SDK nor exporter is loaded and no message has a header', async () => {
  const { queue } = testQueue();
  await using off = await startCommand('api', { ...env, QUEUE_NAME: queue, ...LIST_MODULES });
  await untilOnBroker(off);
  await record(off, clientTrace().headers);
  expect((await takeMessage(queue))?.properties.headers).toEqual({});
  // prom-client brings the interfaces, which do nothing by themselves.
  expect(telemetryOf(off)).toEqual(['api']);
  expect(telemetryOf(api)).toEqual(expect.arrayContaining(['exporter-trace-otlp-http', 'sdk-trace']));
});

/** The packages of OpenTelemetry that the process has loaded. */
function telemetryOf(command: RunningCommand): string[] {
  const names = [...command.output().matchAll(/load "[^"]*node_modules\/@opentelemetry\/([\w-]+)\//g)];
  return [...new Set(names.flatMap(([, name]) => name ?? []))].toSorted();
}

/** Before, the outbox takes what it accepts. */
async function untilOnBroker(command: RunningCommand): Promise<void> {
  await waitFor('the broker', async () => {
    const { parts } = (await (await fetch(`${command.url}/health/ready`)).json()) as { parts: ReadinessPart[] };
    return parts.some(({ name, problem }) => name === 'rabbitmq' && problem === null);
  });
}

async function takeMessage(queue: string): Promise<Message | undefined> {
  const connection = await connect(env['AMQP_URL'] ?? '');
  const channel = await connection.createChannel();
  const messages: Message[] = [];
  await channel.consume(queue, (message) => message !== null && messages.push(message), { noAck: true });
  await waitFor('a message', () => messages.length > 0);
  await connection.close();
  return messages[0];
}

it('a worker that ends sends what it has recorded first', async () => {
  const client = clientTrace();
  await record(api, client.headers);
  const publish = await collector.span(
    'the publish',
    ({ traceId, kind }) => traceId === client.traceId && kind === PRODUCER,
  );
  worker.signal('SIGTERM');
  expect(await worker.ended()).toBe(0);
  expect(collector.spans.filter(isLinkedWith(publish, 'record batch'))).toHaveLength(1);
});
