import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

export interface Watchdog {
  /** We stopped in good order. */
  dismiss(): void;
}

/**
 * Stops the embedded Postgres when this process dies without doing so, by SIGKILL too: a shell that sleeps on a pipe whose
 * other end only we hold, and that becomes `embedded-last-exit` when the pipe closes.
 */
export function startWatchdog(dataDir: string): Watchdog {
  if (process.platform === 'win32') return { dismiss: () => undefined };
  const compiled = import.meta.url.endsWith('.js');
  const script = fileURLToPath(new URL(`./embedded-last-exit.${compiled ? 'js' : 'ts'}`, import.meta.url));
  const loader = compiled ? [] : ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href];
  const child = spawn('/bin/sh', ['-c', 'read -r _ || exec "$@"', 'sh', process.execPath, ...loader, script, dataDir], {
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
    // Its own session: a Ctrl-C or a closed terminal does not reach it.
    detached: true,
  });
  child.on('error', () => undefined);
  child.unref();
  child.stdin.on('error', () => undefined);
  if ('unref' in child.stdin && typeof child.stdin.unref === 'function') child.stdin.unref();
  return {
    dismiss() {
      child.stdin.end('done\n');
    },
  };
}
