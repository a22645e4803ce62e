import type { Config } from './config.ts';
import { createLogger, type Logger } from './runtime/logger.ts';
import { noTracing, type Tracing } from './runtime/tracing.ts';

/**
 * The process's log, whose lines name the trace that they belong to, and what opens its tracing. OpenTelemetry is only
 * loaded where it is on.
 */
export function createLogs(
  { logLevel, tracing: settings }: Config,
  name: 'api' | 'worker',
): { logger: Logger; openTracing(): Promise<Tracing> } {
  if (settings === null) return { logger: createLogger(logLevel, name), openTracing: async () => noTracing };
  let tracing = noTracing;
  const logger = createLogger(logLevel, name, () => tracing.current()?.fields ?? {});
  const { serviceName, resource, ...options } = settings;
  return {
    logger,
    async openTracing() {
      const { createOtelTracing } = await import('./adapters/otel/otel-tracing.ts');
      const service = serviceName ?? resource['service.name'] ?? `groundswell-${name}`;
      tracing = createOtelTracing({ ...options, resource: { ...resource, 'service.name': service }, logger });
      return tracing;
    },
  };
}
