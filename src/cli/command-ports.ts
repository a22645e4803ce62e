import { configOrExit, type Config } from '../config.ts';
import type { Ports } from '../ports.ts';
import { createLogger } from '../runtime/logger.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { createPorts } from '../wiring.ts';

export const EXIT_USAGE = 64;
export const EXIT_CONFIGURATION = 78;

/**
 * Runs a command on the configured parts, or beside (or in place of) `npm start`, and closes them. Gives the command's
 * exit code, or 78 when Postgres is not ready for it.
 */
export async function withPorts(work: (ports: Ports, config: Config) => Promise<number>): Promise<number> {
  const config = configOrExit({ servesApi: false });
  const ports = await createPorts(config, {
    logger: createLogger('fatal', 'command'),
    metrics: createMetrics(),
    role: 'command',
    runsOnce: true,
  });
  try {
    for (const probe of ports.probes.filter(({ required }) => required)) {
      const fault = await probe.check();
      if (fault === null) continue;
      process.stderr.write(`${probe.name}: ${fault}\n`);
      return EXIT_CONFIGURATION;
    }
    return await work(ports, config);
  } finally {
    await ports.close();
  }
}

/** For a wrong option or argument: what is wrong, how it is used, exit 64 (EX_USAGE). */
export function exitWithUsage(fault: string, usage: string): void {
  process.stderr.write(`${fault}\n\n${usage}`);
  process.exitCode = EXIT_USAGE;
}
