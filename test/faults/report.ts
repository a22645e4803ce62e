import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/runtime/package-root.ts';

/** Puts `text` into docs/reliability.md, between the two marks of its part. */
export function writeReport(part: 'table' | 'safety lines', text: string): void {
  const file = join(packageRoot(), 'docs/reliability.md');
  const page = readFileSync(file, 'utf8');
  const [begin, end] = [`<!-- ${part} -->`, `<!-- end of ${part} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from === -1 || to === -1) throw new Error(`${file} has lost the marks of its ${part}`);
  writeFileSync(file, `${page.slice(0, from)}${begin}\n\n${text}\n\n${page.slice(to)}`);
}

/** Of a run that is about to begin: its seed, what is run, on which day, version and machine. */
export function describeRun(seed: number, what: string): string {
  const day = new Date().toISOString().slice(0, 10);
  return `Seed ${seed}, ${what}, ${day}, version ${version()}, ${cpus().length} cores, Node ${process.versions.node}.`;
}

/** The commit; with a `+` where files differ from it. */
function version(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: packageRoot(), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : '+'}`;
  } catch {
    // A copy without its history.
    return 'unknown';
  }
}
