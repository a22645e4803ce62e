import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { createPostgresRecorder } from '../src/adapters/postgres/postgres-recorder.ts';
import { createPostgresStandings } from '../src/adapters/postgres/postgres-standings.ts';
import { encodeMessage } from '../src/interactions/message.ts';
import { startRedis } from '../test/servers/start-redis.ts';
import { testDirectory } from '../test/servers/test-run.ts';
import { alternate } from './alternate.ts';
import { figure, median, type Figure } from './figure.ts';
import { BENCH_ITEMS, generateInteractions } from './generate-interactions.ts';
import { SERVER_CORE } from './pin.ts';
import { createFilledCatalogue, openDatabase, startBenchPostgres } from './postgres.ts';
import { startOurs, startPeer, type Program } from './program.ts';
import { load, requireWrk, type LoadResult } from './wrk.ts';

export const QUERY = `query PopularItems {
  popularItems(first: 20) {
    nodes { rank score people item { id title imageUrl } }
    pageInfo { hasNextPage endCursor }
    asOf
  }
}`;
/** What a page of another origin could not send: every GET needs it. */
const HEADERS = { 'apollo-require-preflight': 'true' };
const ROUNDS = 5;
const SECONDS = 2;
const CONNECTIONS = 50;
const SECRET = 'only-for-the-benchmark-0123456789abcdef';

/** Cached `popularItems` against `node:http` that answers with the same bytes. */
export async function cachedRead(): Promise<Figure[]> {
  requireWrk();
  await using postgres = await startBenchPostgres();
  await using redis = await startRedis();
  const databaseUrl = await createFilledCatalogue(postgres, BENCH_ITEMS);
  await fillStandings(databaseUrl);

  const folder = testDirectory('cached-read');
  const hash = createHash('sha256').update(QUERY).digest('hex');
  const extensions = encodeURIComponent(JSON.stringify({ persistedQuery: { version: 1, sha256Hash: hash } }));
  const target = `/graphql?extensions=${extensions}`;
  const scripts = { GET: join(folder, 'get.lua'), POST: join(folder, 'post.lua') };
  writeFileSync(
    scripts.GET,
    `wrk.path = [[${target}]]\nwrk.headers["accept"] = "application/json"\nwrk.headers["apollo-require-preflight"] = "true"\n`,
  );
  const postBody = JSON.stringify({ operationName: 'PopularItems', query: QUERY });
  writeFileSync(
    scripts.POST,
    `wrk.method = "POST"\nwrk.path = "/graphql"\nwrk.body = [[${postBody}]]\nwrk.headers["content-type"] = "application/json"\nwrk.headers["accept"] = "application/json"\n`,
  );

  const env = { DATABASE_URL: databaseUrl, AUTH_JWT_SECRET: SECRET };
  const figures: Figure[] = [];
  for (const [cache, more] of [
    ['memory', {}],
    ['Redis', { REDIS_URL: redis.url }],
  ] as const) {
    await using ours = await startOurs('api', { ...env, ...more }, SERVER_CORE);
    const bytes = await remember(ours, target);
    const answer = await fetch(ours.url + target, { headers: HEADERS });
    const body = await answer.text();
    if (body.length < 2_000 || body.includes('"errors"')) throw new Error(`no answer worth measuring: ${body}`);
    const answerFile = join(folder, 'answer.json');
    const { connection: _, 'keep-alive': __, date: ___, ...headers } = Object.fromEntries(answer.headers);
    writeFileSync(answerFile, JSON.stringify({ status: 200, headers, body }));
    await using peer = await startPeer('fixed-bytes.ts', { ANSWER: answerFile });

    for (const method of ['GET', 'POST'] as const) {
      const measure = (program: Program): Promise<LoadResult> =>
        load(program, { seconds: SECONDS, connections: CONNECTIONS, script: scripts[method] });
      await measure(ours);
      await measure(peer);
      const pairs = await alternate(
        ROUNDS,
        () => measure(ours),
        () => measure(peer),
      );
      figures.push(
        figure({
          name: 'cached-read',
          what: `${method}${method === 'GET' ? ' by hash' : ' with text'}, cache in ${cache}, / fixed bytes`,
          values: pairs.map((pair) => pair.ours.perCpuSecond / pair.peer.perCpuSecond),
          bar: { atLeast: 0.2 },
          detail: describe(pairs, bytes),
        }),
      );
    }
  }
  return figures;
}

/** Registers the text under its hash; how long the answer is. */
async function remember(ours: Program, target: string): Promise<number> {
  const response = await fetch(`${ours.url}${target}&query=${encodeURIComponent(QUERY)}`, { headers: HEADERS });
  return (await response.arrayBuffer()).byteLength;
}

function describe(pairs: readonly { ours: LoadResult; peer: LoadResult }[], bytes: number): string {
  const show = (pick: (pair: (typeof pairs)[number]) => number, digits = 0): string =>
    median(pairs.map(pick)).toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return (
    `${show(({ ours }) => ours.perCpuSecond)} / ${show(({ peer }) => peer.perCpuSecond)} requests per CPU second, of ${bytes} bytes; ` +
    `server core busy ${show(({ ours }) => ours.serverBusy * 100)} / ${show(({ peer }) => peer.serverBusy * 100)} %; ` +
    `by the clock ${show(({ ours, peer }) => ours.perSecond / peer.perSecond, 2)}`
  );
}

export async function fillStandings(url: string): Promise<void> {
  const database = openDatabase(url);
  try {
    const recorder = createPostgresRecorder(database);
    const interactions = generateInteractions(20_000, 1);
    for (let at = 0; at < interactions.length; at += 5_000) {
      const batch = interactions.slice(at, at + 5_000);
      await recorder.record(
        batch.map((interaction) => ({ interaction, body: encodeMessage(interaction), outboxSeq: null })),
      );
    }
    const standings = createPostgresStandings({ database });
    while ((await standings.refresh()).more);
  } finally {
    await database.close();
  }
}
