import { execFile, execFileSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/runtime/package-root.ts';
import { testDirectory } from '../servers/test-run.ts';
import type { FaultOptions } from './options.ts';
import { MUTATIONS, mutated, type Mutation } from './mutations.ts';
import { describeRun, writeReport } from './report.ts';

/** Takes away one safety line after the other, each in a copy of the package. Whether every one was noticed. */
export async function checkMutations({ seed, only, report }: FaultOptions): Promise<boolean> {
  const mutations = MUTATIONS.filter(({ row }) => only.length === 0 || only.includes(row));
  const run = describeRun(seed, 'each row in its short form');
  let survived = 0;
  for (const mutation of mutations) {
    const copy = copyPackage();
    const file = join(copy, mutation.file);
    writeFileSync(file, mutated(readFileSync(file, 'utf8'), mutation));
    const { exitCode, failures, table } = await runRow(copy, mutation.row, seed);
    rmSync(copy, { recursive: true, force: true });
    // The table names every condition, met or missed: what failed is said beside it.
    const isNoticed = exitCode === 1 && failures.includes('FAILS') && mutation.because.test(failures);
    if (!isNoticed) survived += 1;
    const verdict = isNoticed
      ? `missed by ${mutation.row}`
      : `NOT MISSED by ${mutation.row} (exit ${exitCode})\n${failures}${table}`;
    process.stdout.write(`without ${mutation.line}: ${verdict}\n`);
  }
  const text = `${mutations.length - survived} of ${mutations.length} safety lines have their witness. ${run}`;
  process.stdout.write(`${text}\n`);
  if (report) writeReport('safety lines', text);
  return survived === 0;
}

/** What is under version control or about to be, the generated client, and the packages as a link. */
function copyPackage(): string {
  const [root, copy] = [packageRoot(), testDirectory('mutant')];
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  for (const path of [...list.toString().split('\0').filter(Boolean), 'src/adapters/generated']) {
    cpSync(join(root, path), join(copy, path), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

function runRow(
  cwd: string,
  row: Mutation['row'],
  seed: number,
): Promise<{ readonly exitCode: number | null; readonly failures: string; readonly table: string }> {
  const args = ['scripts/launch.mjs', 'faults', '--quick', '--only', row, '--seed', String(seed)];
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, { cwd }, (_, stdout, stderr) => {
      resolve({ exitCode: child.exitCode, failures: stderr, table: stdout });
    });
  });
}
