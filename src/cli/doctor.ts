import { configOrExit } from '../config.ts';
import { createLogger } from '../runtime/logger.ts';
import { withoutPasswords } from '../runtime/redact.ts';
import { exitOnStartFault } from '../runtime/start-fault.ts';
import { examineParts } from '../wiring-checks.ts';

/** `npm run doctor`: one line per configured part; exit 1 when something is wrong. */
async function main(): Promise<void> {
  const config = configOrExit({ servesApi: false });
  let faults = 0;
  for await (const { part, ok, text } of examineParts(config, createLogger('error', 'doctor'))) {
    if (ok === false) faults += 1;
    process.stdout.write(`${verdict(ok)}${part}: ${withoutPasswords(text)}\n`);
  }
  if (faults > 0) process.exitCode = 1;
}

function verdict(ok: boolean | null): string {
  if (ok === null) return 'note   ';
  return ok ? 'ok     ' : 'FAULT  ';
}

main().catch(exitOnStartFault);
