import { withoutPasswords } from './redact.ts';

const EXIT_CONFIGURATION = 78;

/** Faults that the person at the terminal can mend; their message says how and holds no secret. */
const MENDABLE = new Set(['DATA_DIR_IN_USE', 'DATA_DIR_UNUSABLE', 'MANIFEST_UNUSABLE']);

/** For entry points: one clear line in place of a stack for what somebody can mend, then the end of the process. */
export function exitOnStartFault(error: unknown): never {
  const fault = faultOf(error);
  process.stderr.write(`${fault.text}\n`);
  process.exit(fault.exitCode);
}

function faultOf(error: unknown): { text: string; exitCode: number } {
  if (!(error instanceof Error)) return { text: String(error), exitCode: 1 };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if ('syscall' in error && (error.syscall === 'listen' || error.syscall === 'bind') && 'port' in error) {
    const place =
      'address' in error ? `port ${String(error.port)} of ${String(error.address)}` : `port ${String(error.port)}`;
    return code === 'EADDRINUSE'
      ? {
          text: `${place} is taken: stop what uses it, or set another (PORT, METRICS_PORT)`,
          exitCode: EXIT_CONFIGURATION,
        }
      : { text: `cannot listen on ${place}: ${code ?? error.message}`, exitCode: EXIT_CONFIGURATION };
  }
  if ('exitCode' in error && typeof error.exitCode === 'number')
    return { text: error.message, exitCode: error.exitCode };
  if (code === undefined) return { text: withoutPasswords(error.stack ?? error.message), exitCode: 1 };
  return { text: withoutPasswords(error.message), exitCode: MENDABLE.has(code) ? EXIT_CONFIGURATION : 1 };
}
