import { join } from 'node:path';
import { startStack } from '../../deploy/stack/start-stack.ts';
import { viewerKeyOf } from '../../src/interactions/viewer-key.ts';
import { packageRoot } from '../../src/runtime/package-root.ts';
import { query } from '../../test/servers/query.ts';
import { assemble } from './assemble.ts';
import { groundswellProbe } from './groundswell-probe.ts';
import { groundswellScripts } from './groundswell-scripts.ts';
import type { History } from './history.ts';
import { recordedRow, type LoadedSystem } from './loaded-system.ts';
import { parseSamples } from './prometheus.ts';
import { recountRollups } from './recount-rollups.ts';
import { stackProcesses } from './stack-servers.ts';

const OWN = [
  [/launch\.mjs worker/, 'worker'],
  [/launch\.mjs api/, 'API'],
] as const;

const COUNT = 'SELECT count(*)::integer AS count FROM interactions WHERE id >= uuid_at($1)';
const RECORDED = `
  SELECT interactions.id, viewer, items.id AS item, type::text, retraction
  FROM interactions JOIN items ON items.key = item_key WHERE interactions.id >= uuid_at($1)`;

/** All of `npm run stack` but its monitoring, which would share the two cores; as many servers as the guide's stack has. */
export function startGroundswell(history: History, folder: string): Promise<LoadedSystem> {
  return assemble(async (use) => {
    const stack = use(
      await startStack({
        replicas: 1,
        monitoring: false,
        unlimited: true,
        env: {
          ANONYMOUS_WRITES: 'true',
          PERSISTED_QUERY_MANIFESTS: join(packageRoot(), 'examples/mobile/persisted-query-manifest.json'),
        },
      }),
    );
    const files = ['--items', history.items, '--interactions', history.interactions];
    const imported = await stack.run('import', files);
    if (imported.exitCode !== 0) throw new Error(`import ended with ${imported.exitCode}: ${imported.stderr}`);
    const since = [new Date()];
    return {
      title: 'Groundswell',
      url: stack.url,
      locustfile: 'locust/locustfile.py',
      processes: () => stackProcesses(OWN),
      async samples() {
        // Closed each time: Node's servers end idle connections after 5 s, which is when the next scrape would use them.
        const scrape = async ({ metricsUrl }: { metricsUrl: string }): Promise<string> =>
          (await fetch(metricsUrl, { headers: { connection: 'close' } })).text();
        return parseSamples(await Promise.all([...stack.apis, ...stack.workers].map(scrape)));
      },
      recorded: async () => (await query(stack.databaseUrl, RECORDED, since)).map(recordedRow),
      async countRecorded() {
        const [row] = await query(stack.databaseUrl, COUNT, since);
        return Number(row?.['count']);
      },
      viewerOf: (deviceId: string) => viewerKeyOf({ deviceId }),
      recount: () => recountRollups(stack.databaseUrl),
      // Not in the database; the worker's own histogram has it.
      recordedAfterSeconds: () => Promise.resolve(null),
      probe: groundswellProbe(stack.url),
      saturation: groundswellScripts(folder),
    };
  });
}
