import { viewerKeyOf } from '../../src/interactions/viewer-key.ts';
import { startProxy } from '../../test/end-to-end/start-proxy.ts';
import { query } from '../../test/servers/query.ts';
import { run, startOurs } from '../program.ts';
import { assemble } from './assemble.ts';
import { groundswellProbe } from './groundswell-probe.ts';
import { groundswellScripts } from './groundswell-scripts.ts';
import type { History } from './history.ts';
import { recordedRow, type LoadedSystem } from './loaded-system.ts';
import { parseSamples } from './prometheus.ts';
import { recountRollups } from './recount-rollups.ts';
import { stackProcesses, startStackServers } from './stack-servers.ts';

const OWN = [
  [/launch\.mjs worker/, 'worker'],
  [/launch\.mjs api/, 'API'],
] as const;

const COUNT = 'SELECT count(*)::integer AS count FROM interactions WHERE id >= uuid_at($1)';
const RECORDED = `
  SELECT interactions.id, viewer, items.id AS item, type::text, retraction
  FROM interactions JOIN items ON items.key = item_key WHERE interactions.id >= uuid_at($1)`;

/** Two API processes behind nginx and one worker, as `deploy/nginx` has it, on servers of their own; `npm run build` first. */
export function startGroundswell(history: History, folder: string): Promise<LoadedSystem> {
  return assemble(async (use) => {
    const servers = await startStackServers(use);
    const env = {
      DATABASE_URL: servers.pooledUrl,
      DATABASE_DIRECT_URL: servers.directUrl,
      DATABASE_REPLICA_URLS: servers.replicaUrl,
      AMQP_URL: servers.amqpUrl,
      REDIS_URL: servers.redisUrl,
      AUTH_JWT_SECRET: 'only-for-the-load-test-0123456789abcdef',
      ANONYMOUS_WRITES: 'true',
      PERSISTED_QUERY_MANIFESTS: 'examples/mobile/persisted-query-manifest.json',
    };
    await run(['scripts/launch.mjs', 'migrate'], env);
    const files = ['--items', history.items, '--interactions', history.interactions];
    await run(['scripts/launch.mjs', 'import', ...files], env);
    const apis = [use(await startOurs('api', env, null)), use(await startOurs('api', env, null))];
    const programs = [...apis, use(await startOurs('worker', env, null))];
    const proxy = use(await startProxy(apis.map(({ url }) => url)));
    const since = [new Date()];
    return {
      title: 'Groundswell',
      url: proxy.url,
      locustfile: 'locust/locustfile.py',
      processes: () => stackProcesses(OWN),
      async samples() {
        // Closed each time: Node's servers end idle connections after 5 s, which is when the next scrape would use them.
        const scrape = async (metricsUrl: string): Promise<string> =>
          (await fetch(`${metricsUrl}/metrics`, { headers: { connection: 'close' } })).text();
        return parseSamples(await Promise.all(programs.map(({ metricsUrl }) => scrape(metricsUrl))));
      },
      recorded: async () => (await query(servers.directUrl, RECORDED, since)).map(recordedRow),
      async countRecorded() {
        const [row] = await query(servers.directUrl, COUNT, since);
        return Number(row?.['count']);
      },
      viewerOf: (deviceId: string) => viewerKeyOf({ deviceId }),
      recount: () => recountRollups(servers.directUrl),
      // Not in the database; the worker's own histogram has it.
      recordedAfterSeconds: () => Promise.resolve(null),
      probe: groundswellProbe(proxy.url),
      saturation: groundswellScripts(folder),
    };
  });
}
