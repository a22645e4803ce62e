import { execFile, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { newInteractionId } from '../../src/interactions/interaction-id.ts';
import { packageRoot } from '../../src/runtime/package-root.ts';
import { commandEnvironment } from '../../test/commands/run-command.ts';
import { freePort } from '../../test/servers/free-port.ts';
import { processTree, signalAll } from '../../test/servers/processes.ts';
import { query } from '../../test/servers/query.ts';
import { startNginx } from '../../test/servers/start-nginx.ts';
import { waitFor } from '../../test/servers/wait-for.ts';
import { assemble } from './assemble.ts';
import { djangoProbe } from './django-probe.ts';
import { ITEMS, PROBED_ITEMS, type History } from './history.ts';
import { recordedRow, type FreshnessProbe, type LoadedSystem } from './loaded-system.ts';
import { stackProcesses, startStackServers, type StackServers } from './stack-servers.ts';
import { LUA_IDS } from './wrk-scripts.ts';

const HOME = join(packageRoot(), 'bench/peers/django');
/** Debian's, whatever else is on PATH: Django and Celery are its packages. */
const PYTHON = '/usr/bin/python3';
const OWN = [
  [/celery/, 'Celery'],
  [/gunicorn/, 'Gunicorn'],
] as const;

const RECORDED = `
  SELECT client_id::text AS id, viewer, item_id AS item, replace(type, 'UN', '') AS type, type LIKE 'UN%' AS retraction
  FROM popular_interaction WHERE recorded_at IS NOT NULL`;
const READS = "SELECT FROM pg_stat_statements WHERE query LIKE 'SELECT%popular_interaction%GROUP BY%'";
const RECORDED_AFTER = `
  SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM recorded_at - created_at))::float8 AS seconds
  FROM popular_interaction WHERE recorded_at IS NOT NULL`;

/** The guide's stack (bench/peers/django), on the same kinds of servers as ours. */
export function startDjango(history: History, folder: string): Promise<LoadedSystem> {
  return assemble(async (use) => {
    const servers = await startStackServers(use);
    const appPort = await freePort();
    const env = {
      DATABASE_URL: servers.pooledUrl,
      DATABASE_REPLICA_URL: servers.replicaUrl,
      REDIS_URL: servers.redisUrl,
      AMQP_URL: servers.amqpUrl,
      SECRET_KEY: 'only-for-the-load-test',
      PORT: String(appPort),
      DJANGO_SETTINGS_MODULE: 'guide.settings',
      PYTHONDONTWRITEBYTECODE: '1',
    };
    await promisify(execFile)(PYTHON, ['-m', 'django', 'migrate'], { cwd: HOME, env: commandEnvironment(env) });
    await load(servers.directUrl, history);
    const celery = use(startProgram(['celery', '-A', 'guide', 'worker', ...CELERY], env));
    const gunicorn = use(startProgram(['gunicorn', '-c', 'gunicorn.conf.py'], env));
    const config = readFileSync(join(HOME, 'nginx.conf'), 'utf8').replace('127.0.0.1:8000', `127.0.0.1:${appPort}`);
    const nginx = use(await startNginx({ config: ({ port }) => config.replace('8080', String(port)) }));
    const probe = djangoProbe(nginx.url);
    await untilWorking(probe, servers).catch((error: unknown) => {
      throw new Error(`the guide's stack did not start:\n${celery.output()}\n${gunicorn.output()}`, { cause: error });
    });
    return {
      title: "The guide's stack",
      url: nginx.url,
      locustfile: 'bench/peers/django/locustfile.py',
      processes: () => stackProcesses(OWN),
      samples: () => Promise.resolve(new Map<string, number>()),
      recorded: async () => (await query(servers.directUrl, RECORDED)).map(recordedRow),
      async countRecorded() {
        const [row] = await query(
          servers.directUrl,
          `SELECT count(*)::integer AS count FROM (${RECORDED}) AS recorded`,
        );
        return Number(row?.['count']);
      },
      viewerOf: (viewer: string) => viewer,
      // Its counts are computed from the raw rows at each miss: there is nothing to recount.
      recount: () => Promise.resolve([]),
      async recordedAfterSeconds() {
        const [row] = await query(servers.directUrl, RECORDED_AFTER);
        return typeof row?.['seconds'] === 'number' ? row['seconds'] : null;
      },
      probe,
      saturation: scripts(folder),
    };
  });
}

/** From the list, through the queue, to the table; leaves nothing there. */
async function untilWorking(probe: FreshnessProbe, { directUrl: url, replicaUrl }: StackServers): Promise<void> {
  const [item = ''] = PROBED_ITEMS;
  await waitFor('Gunicorn to serve', async () => !(await probe.shows(item)));
  await waitFor('the replica to have been read', async () => (await query(replicaUrl, READS)).length > 0);
  await probe.write(newInteractionId(), 'nobody', item);
  await waitFor('Celery to record', async () => (await query(url, RECORDED)).length === 1);
  await query(url, 'DELETE FROM popular_interaction WHERE recorded_at IS NOT NULL');
}

/** Two processes on two cores; nothing that talks to other workers. */
const CELERY = [
  '--concurrency',
  '2',
  '--loglevel',
  'WARNING',
  '--without-gossip',
  '--without-mingle',
  '--without-heartbeat',
];

function startProgram(module: readonly string[], env: Readonly<Record<string, string>>) {
  const child = spawn(PYTHON, ['-m', ...module], {
    cwd: HOME,
    env: commandEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    output: () => output,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.pid !== undefined) signalAll(processTree(child.pid).toReversed(), 'SIGKILL');
      await ended;
    },
  };
}

/** The same items and the same week as ours. */
async function load(url: string, history: History): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await insert(
      client,
      history.items,
      'INSERT INTO popular_item (id, title, category, image_url) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])',
    );
    await insert(
      client,
      history.interactions,
      `INSERT INTO popular_interaction (item_id, viewer, type, created_at, client_id)
       SELECT item, viewer, type, at::timestamptz, gen_random_uuid() FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS rows (item, viewer, type, at)`,
    );
    await client.query('VACUUM ANALYZE');
  } finally {
    await client.end();
  }
}

async function insert(client: pg.Client, file: string, statement: string): Promise<void> {
  // Written by history.ts, without quotes.
  const rows = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','));
  const columns = [0, 1, 2, 3].map((column) => rows.map((row) => row[column]));
  await client.query(statement, columns);
}

function scripts(folder: string): LoadedSystem['saturation'] {
  const readScript = join(folder, 'django-read.lua');
  const writeScript = join(folder, 'django-write.lua');
  writeFileSync(readScript, 'wrk.path = "/popular/?limit=20"\n');
  writeFileSync(
    writeScript,
    `${LUA_IDS}local body = [[{"item":"item-%d","type":"VIEW","id":"%s","viewer":"%s"}]]
function request()
  local headers = { ["content-type"] = "application/json" }
  return wrk.format("POST", "/interactions/", headers, format(body, random(${ITEMS}), uuid7(), device()))
end
`,
  );
  return { readScript, writeScript, firstRead: '/popular/?limit=20' };
}
