import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { commandRoot, SOURCES } from './command-root.ts';
import { commandEnvironment } from './run-command.ts';

/** The README's block in this language (none: '') that contains `part`, as users copy it. */
export async function readmeBlock(language: 'sh' | 'json' | '', part: string): Promise<string> {
  const readme = await readFile(join(SOURCES, 'README.md'), 'utf8');
  const blocks = [...readme.matchAll(/^```(\w*)\n([^]*?)^```$/gm)];
  const found = blocks.find(([, ofLanguage, text]) => ofLanguage === language && text?.includes(part));
  if (found?.[2] === undefined) throw new Error(`the README has no ${language} block with ${part}`);
  return found[2];
}

/** Runs what is pasted into a shell in the package's folder; gives its standard output. Rejects when it fails. */
export async function pasteIntoShell(text: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const options = { cwd: commandRoot(), env: commandEnvironment(env) };
  return (await promisify(execFile)('sh', ['-c', text], options)).stdout;
}
