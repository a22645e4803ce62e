import { connect } from 'amqplib';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { startRabbitmq } from '../test/servers/start-rabbitmq.ts';
import { startRedis } from '../test/servers/start-redis.ts';
import { unpack } from '../src/adapters/rabbitmq/rabbitmq-packs.ts';
import { testDirectory } from '../test/servers/test-run.ts';
import { waitFor } from '../test/servers/wait-for.ts';
import { alternate } from './alternate.ts';
import { figure, median, type Figure } from './figure.ts';
import { SERVER_CORE } from './pin.ts';
import { createFilledCatalogue, startBenchPostgres } from './postgres.ts';
import { startOurs, startPeer, type Program } from './program.ts';
import { load, requireWrk, type LoadResult } from './wrk.ts';

const ITEMS = 1_000;
const VIEWERS = 1_000;
const ROUNDS = 4;
const SECONDS = 3;
const CONNECTIONS = [64, 256];
const QUEUE = 'groundswell.interactions';
export const SECRET = 'only-for-the-benchmark-0123456789abcdef';

export const ACCEPT =
  'mutation RecordInteraction($input: RecordInteractionInput!) { recordInteraction(input: $input) { interaction { id status } userErrors { code field message } } }';

/** `recordInteraction` against `node:http` that publishes the body and awaits the confirm, on one RabbitMQ. */
export async function accept(): Promise<Figure[]> {
  requireWrk();
  await using postgres = await startBenchPostgres();
  await using redis = await startRedis();
  await using rabbitmq = await startRabbitmq();
  const databaseUrl = await createFilledCatalogue(postgres, ITEMS);
  const script = await writeScript();

  const ourEnv = {
    DATABASE_URL: databaseUrl,
    REDIS_URL: redis.url,
    AMQP_URL: rabbitmq.url,
    AUTH_JWT_SECRET: SECRET,
  };
  await using ours = await startOurs('api', ourEnv, SERVER_CORE);
  await using peer = await startPeer('bare-confirm.ts', { AMQP_URL: rabbitmq.url });
  const broker = await connect(rabbitmq.url);
  const channel = await broker.createChannel();

  /** There must be an interaction in the queue for each answer; a message may carry several. */
  async function consumeAll(queue: string, expected: number): Promise<void> {
    let bodies = 0;
    const consumer = await broker.createChannel();
    await consumer.prefetch(1_000);
    await consumer.consume(queue, (message) => {
      if (message === null) return;
      bodies += unpack(message.content, message.properties).length;
      consumer.ack(message);
    });
    await waitFor(`${expected} interactions in ${queue}`, () => bodies >= expected);
    await consumer.close();
  }

  async function measure(program: Program, queue: string, connections: number, seconds = SECONDS): Promise<LoadResult> {
    await channel.purgeQueue(queue);
    const result = await load(program, { seconds, connections, script });
    await consumeAll(queue, result.requests);
    await channel.purgeQueue(queue);
    return result;
  }

  try {
    const figures: Figure[] = [];
    for (const connections of CONNECTIONS) {
      await measure(ours, QUEUE, connections, 2);
      await measure(peer, 'bare-confirm', connections, 2);
      const pairs = await alternate(
        ROUNDS,
        () => measure(ours, QUEUE, connections),
        () => measure(peer, 'bare-confirm', connections),
      );
      figures.push(
        figure({
          name: 'accept',
          what: `recordInteraction / bare confirm, ${connections} connections`,
          values: pairs.map((pair) => pair.ours.perSecond / pair.peer.perSecond),
          bar: { atLeast: 0.7 },
          detail: describe(pairs),
        }),
      );
    }
    return figures;
  } finally {
    await broker.close();
  }
}

function describe(pairs: readonly { ours: LoadResult; peer: LoadResult }[]): string {
  const show = (pick: (pair: (typeof pairs)[number]) => number, digits = 0): string =>
    median(pairs.map(pick)).toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return (
    `${show(({ ours }) => ours.perSecond)} / ${show(({ peer }) => peer.perSecond)} requests/s; ` +
    `99th percentile ${show(({ ours }) => ours.p99Ms)} / ${show(({ peer }) => peer.p99Ms)} ms; ` +
    `server core busy ${show(({ ours }) => ours.serverBusy * 100)} / ${show(({ peer }) => peer.serverBusy * 100)} %; ` +
    `per CPU second ${show(({ ours, peer }) => ours.perCpuSecond / peer.perCpuSecond, 2)}`
  );
}

/** Of a thousand people, for an API with the secret. */
export function viewerTokens(): Promise<string[]> {
  const key = new TextEncoder().encode(SECRET);
  return Promise.all(
    Array.from({ length: VIEWERS }, (_, viewer) =>
      new SignJWT({})
        .setProtectedHeader({ alg: 'HS256' })
        .setSubject(`user-${viewer}`)
        .setExpirationTime('1h')
        .sign(key),
    ),
  );
}

/** Views by a thousand signed-in viewers of a thousand items, each with an id that the client made. */
export async function writeScript(): Promise<string> {
  const folder = testDirectory('accept');
  const tokens = await viewerTokens();
  const tokensFile = join(folder, 'tokens');
  writeFileSync(tokensFile, `${tokens.join('\n')}\n`);
  const script = join(folder, 'accept.lua');
  writeFileSync(
    script,
    `local tokens = {}
for token in io.lines(${JSON.stringify(tokensFile)}) do tokens[#tokens + 1] = token end
local random, format = math.random, string.format
math.randomseed(os.time())
local body = [[{"operationName":"RecordInteraction","query":${JSON.stringify(ACCEPT)},"variables":{"input":{"itemId":"item-%d","type":"VIEW","id":"%s"}}}]]
function request()
  local ms = format("%012x", os.time() * 1000 + random(0, 999))
  local id = format("%s-%s-7%03x-%x%03x-%06x%06x", ms:sub(1, 8), ms:sub(9, 12), random(0, 4095), random(8, 11), random(0, 4095), random(0, 16777215), random(0, 16777215))
  local headers = { ["content-type"] = "application/json", accept = "application/json", authorization = "Bearer " .. tokens[random(#tokens)] }
  return wrk.format("POST", "/graphql", headers, format(body, random(${ITEMS}), id))
end
`,
  );
  return script;
}
