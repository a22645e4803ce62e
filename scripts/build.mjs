import { spawnSync } from 'node:child_process';
import { cpSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateClient } from './generate-client.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
await generateClient();
rmSync(join(root, 'dist'), { recursive: true, force: true });
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
for (const folder of ['src', 'worker']) {
  cpSync(join(root, folder), join(root, 'dist', folder), { recursive: true, filter: isAsset });
}
process.exitCode = status ?? 1;

/** Data that the code reads from beside itself. */
function isAsset(path) {
  return statSync(path).isDirectory() ? !path.endsWith('generated') : !path.endsWith('.ts');
}
