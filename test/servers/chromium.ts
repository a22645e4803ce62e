import { requireProgram } from './programs.ts';

/** For playwright's `executablePath`. */
export function chromiumPath(): string {
  return requireProgram('chromium');
}

/** For playwright's `args`: no sandbox (it needs a kernel feature that root in a container lacks), no calls home. */
export const CHROMIUM_ARGUMENTS: readonly string[] = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
