import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

export type Environment = Readonly<Record<string, string | undefined>>;

export type WithEnvFile =
  | { readonly ok: true; readonly env: Environment }
  | { readonly ok: false; readonly fault: string };

/**
 * `env`, and what the file that its ENV_FILE names adds to it: a process cannot be given another environment while it runs,
 * but it can read a file again.
 */
export function withEnvFile(env: Environment): WithEnvFile {
  const file = env['ENV_FILE']?.trim() ?? '';
  if (file === '') return { ok: true, env };
  let merged: Record<string, string | undefined>;
  try {
    merged = parseEnv(readFileSync(file, 'utf8'));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    return { ok: false, fault: `cannot be read (${code})` };
  }
  // By then it has been decided which code runs, and whose certificates it trusts.
  for (const name of ['NODE_ENV', 'NODE_EXTRA_CA_CERTS'])
    if (merged[name] !== undefined) return { ok: false, fault: `sets ${name}, which belongs in the environment` };
  for (const name in env) if ((env[name]?.trim() ?? '') !== '') merged[name] = env[name];
  return { ok: true, env: merged };
}
