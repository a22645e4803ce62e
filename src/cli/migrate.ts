import { configOrExit } from '../config.ts';
import { createLogger } from '../runtime/logger.ts';
import { exitOnStartFault } from '../runtime/start-fault.ts';
import { applyMigrations } from '../wiring-checks.ts';

/** `npm run migrate`: applies what is pending, on the configured Postgres or the embedded one. */
async function main(): Promise<void> {
  const config = configOrExit({ servesApi: false });
  const outcome = await applyMigrations(config, createLogger('warn', 'migrate'));
  if (!outcome.ok) {
    process.stderr.write(`${outcome.fault}\n`);
    process.exitCode = 78;
    return;
  }
  for (const name of outcome.applied) process.stdout.write(`applied ${name}\n`);
  if (outcome.applied.length === 0) process.stdout.write('nothing to do: every migration is applied\n');
  if (outcome.missingRoles.length > 0) {
    const roles = outcome.missingRoles.join(', ');
    process.stdout.write(`roles not made, for lack of the right: ${roles} (docs/security.md); all else works\n`);
  }
}

main().catch(exitOnStartFault);
