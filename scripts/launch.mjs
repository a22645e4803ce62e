// Starts an entry point: node scripts/launch.mjs ENTRY [args]. Written so that any Node parses it, to refuse old ones well.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ENTRIES = {
  main: 'src/main',
  api: 'src/api-main',
  worker: 'worker/main',
  migrate: 'src/cli/migrate',
  import: 'src/cli/import',
  rankings: 'src/cli/rankings',
  rejected: 'src/cli/rejected',
  doctor: 'src/cli/doctor',
  top: 'src/cli/top',
  bench: 'bench/main',
  stack: 'deploy/stack/main',
  dashboards: 'deploy/grafana/write',
  load: 'bench/load/main',
  faults: 'test/faults/main',
};
const EXIT_CONFIGURATION = 78;

// Whoever reads the output may go away, as `| head` does: the command still runs to its end and keeps its own exit code.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const name = process.argv[2];
const entry = Object.hasOwn?.(ENTRIES, name) ? ENTRIES[name] : undefined;

if (!isSupported(process.versions.node)) {
  fail(`Groundswell needs Node 20.19, 22.12, 24 or newer; this is ${process.versions.node}`);
} else if (entry === undefined) {
  fail(`usage: node scripts/launch.mjs ${Object.keys(ENTRIES).join('|')} [arguments]`);
} else {
  // The entry point sees the arguments as if it had been started itself.
  process.argv.splice(1, 2, join(root, `${entry}.ts`));
  await start(entry);
}

async function start(entry) {
  const compiled = join(root, 'dist', `${entry}.js`);
  const source = join(root, `${entry}.ts`);
  // An image holds no sources.
  if (existsSync(compiled) && (process.env.NODE_ENV === 'production' || !existsSync(source))) {
    process.setSourceMapsEnabled(true);
    await import(pathToFileURL(compiled).href);
    return;
  }
  if (!existsSync(join(root, 'node_modules', 'tsx'))) return fail('the packages are not installed: run `npm ci` first');
  const { generateClient } = await import('./generate-client.mjs');
  await generateClient();
  const { register } = await import('tsx/esm/api');
  register();
  await import(pathToFileURL(source).href);
}

function isSupported(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major === 20) return minor >= 19;
  if (major === 22) return minor >= 12;
  return major >= 24;
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exitCode = EXIT_CONFIGURATION;
}
