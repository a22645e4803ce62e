import { createServer } from 'node:http';
import { connect } from 'amqplib';
import { listen } from '../src/runtime/listen.ts';
import { startRabbitmq } from '../test/servers/start-rabbitmq.ts';
import { startRedis } from '../test/servers/start-redis.ts';
import { SECRET, writeScript } from './accept.ts';
import { figure, median, type Bar, type Figure } from './figure.ts';
import { SERVER_CORE } from './pin.ts';
import { createFilledCatalogue, startBenchPostgres } from './postgres.ts';
import { startOurs, type Program } from './program.ts';
import { load, requireWrk } from './wrk.ts';

const ITEMS = 1_000;
/** Which code V8 compiles how differs from process to process, by as much as is measured here. */
const GENERATIONS = 5;
const ROUNDS = 4;
const SECONDS = 2;
const CONNECTIONS = 64;
/** Sent so soon that sending is part of what is measured. */
const OFTEN = { OTEL_BSP_SCHEDULE_DELAY: '500' };

/** Requests per CPU second of each. */
interface Round {
  readonly off: number;
  readonly some: number;
  readonly every: number;
}

/** `recordInteraction` by three API processes in turn: without tracing, with it at the usual rate, and recording every trace. */
export async function tracing(): Promise<Figure[]> {
  requireWrk();
  await using postgres = await startBenchPostgres();
  await using redis = await startRedis();
  await using rabbitmq = await startRabbitmq();
  await using collector = await startSink();
  const script = await writeScript();
  const env = {
    DATABASE_URL: await createFilledCatalogue(postgres, ITEMS),
    REDIS_URL: redis.url,
    AMQP_URL: rabbitmq.url,
    AUTH_JWT_SECRET: SECRET,
  };
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  const broker = await connect(rabbitmq.url);
  const channel = await broker.createChannel();

  async function measure(program: Program, queue: string): Promise<number> {
    const { perCpuSecond } = await load(program, { seconds: SECONDS, connections: CONNECTIONS, script });
    await channel.purgeQueue(queue);
    return perCpuSecond;
  }

  async function generation(): Promise<Round[]> {
    const start = (queue: string, own: Readonly<Record<string, string>>): Promise<Program> =>
      startOurs('api', { ...env, ...OFTEN, ...own, QUEUE_NAME: queue }, SERVER_CORE);
    await using off = await start('off', {});
    await using some = await start('some', { ...endpoint, OTEL_TRACES_SAMPLER_ARG: '0.01' });
    await using every = await start('every', { ...endpoint, OTEL_TRACES_SAMPLER_ARG: '1' });
    const rounds: Round[] = [];
    for (let n = 0; n <= ROUNDS; n += 1) {
      rounds.push({
        off: await measure(off, 'off'),
        some: await measure(some, 'some'),
        every: await measure(every, 'every'),
      });
    }
    // The first warms up.
    return rounds.slice(1);
  }

  try {
    const rounds: Round[] = [];
    for (let n = 0; n < GENERATIONS; n += 1) rounds.push(...(await generation()));
    if (collector.exports() === 0) throw new Error('the collector got nothing: nothing was traced');
    const ratio = (what: string, pick: (round: Round) => number, bar?: Bar): Figure =>
      figure({
        name: 'tracing',
        what: `recordInteraction with ${what} recorded / without tracing`,
        values: rounds.map((each) => pick(each) / each.off),
        ...(bar === undefined ? {} : { bar }),
        detail: `${shown(rounds.map(pick))} / ${shown(rounds.map((each) => each.off))} requests per CPU second`,
      });
    return [
      ratio('one trace in a hundred', ({ some }) => some, { atLeast: 0.95 }),
      ratio('every trace', ({ every }) => every),
    ];
  } finally {
    await broker.close();
  }
}

function shown(values: readonly number[]): string {
  return median(values).toLocaleString('en', { maximumFractionDigits: 0 });
}

/** A collector that takes everything and keeps nothing. */
async function startSink(): Promise<AsyncDisposable & { readonly url: string; exports(): number }> {
  let exports = 0;
  const server = createServer((request, response) => {
    exports += 1;
    request.resume().once('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
  });
  const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
  return {
    url: `http://127.0.0.1:${port}`,
    exports: () => exports,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
