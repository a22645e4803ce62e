// All that a commit must pass: format, types, lint with the folder boundaries, nothing unused, and migrations that
// are safe under load. Every check runs, so that one run shows every fault.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateClient } from './generate-client.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const CHECKS = [['oxfmt', '--check'], ['tsc', '--noEmit'], ['oxlint', '--type-aware', '--deny-warnings'], ['knip']];
// Its own package, `squawk-cli`, names builds for platforms that not every registry has: then nothing installs anywhere.
const SQUAWK = join(root, 'node_modules/@squawk-cli/linux-x64/bin/squawk');
const isThere = existsSync(SQUAWK) || (process.platform === 'linux' && process.arch === 'x64');
if (isThere) CHECKS.push([SQUAWK, 'prisma/migrations/*/migration.sql']);
else console.log('squawk  is for Linux on x64 only: migrations are not checked here');

await generateClient();
let failed = false;
for (const [tool, ...args] of CHECKS) {
  const startedAt = performance.now();
  const { status, output } = await run(tool, args);
  const verdict = status === 0 ? 'ok' : 'FAILED';
  console.log(
    `${basename(tool).padEnd(8)}${verdict.padEnd(8)}${((performance.now() - startedAt) / 1000).toFixed(1)} s`,
  );
  if (status !== 0) {
    failed = true;
    console.log(output.trim());
  }
}
process.exitCode = failed ? 1 : 0;

function run(tool, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(isAbsolute(tool) ? tool : join(root, 'node_modules/.bin', tool), args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, output }));
  });
}
