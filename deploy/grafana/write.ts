import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/runtime/package-root.ts';
import { dashboards } from './dashboards.ts';

/** `npm run dashboards -- [FOLDER]`: the files that Grafana is provisioned with. */
const folder = process.argv[2] ?? join(packageRoot(), 'deploy/grafana/dashboards');
mkdirSync(folder, { recursive: true });
for (const dashboard of dashboards()) {
  const file = join(folder, `${dashboard.uid}.json`);
  writeFileSync(file, `${JSON.stringify(dashboard, null, 2)}\n`);
  console.log(file);
}
