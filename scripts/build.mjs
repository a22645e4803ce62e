// Compiles src/ and worker/ to dist/, with the data that the code reads from beside itself.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateClient } from './generate-client.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Into `outDir`, which is emptied first. Throws when the code does not compile; the compiler has said why by then. */
export async function build(outDir = join(root, 'dist')) {
  await generateClient();
  rmSync(outDir, { recursive: true, force: true });
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
  const args = [tsc, '-p', 'tsconfig.build.json', '--outDir', outDir];
  const [status] = await once(spawn(process.execPath, args, { cwd: root, stdio: 'inherit' }), 'exit');
  if (status !== 0) throw new Error('the code does not compile');
  for (const folder of ['src', 'worker']) {
    cpSync(join(root, folder), join(outDir, folder), { recursive: true, filter: isAsset });
  }
}

/** Data that the code reads from beside itself. */
function isAsset(path) {
  return statSync(path).isDirectory() ? !path.endsWith('generated') : !path.endsWith('.ts');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build();
