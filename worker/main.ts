import { configOrExit, workerOptions } from '../src/config.ts';
import { createDrainList } from '../src/runtime/drain-list.ts';
import { createMetrics } from '../src/runtime/metrics.ts';
import { createMetricsServer } from '../src/runtime/metrics-server.ts';
import { createReadiness } from '../src/runtime/readiness.ts';
import { exitOnSignal } from '../src/runtime/shutdown.ts';
import { exitOnStartFault } from '../src/runtime/start-fault.ts';
import { createPorts } from '../src/wiring.ts';
import { createLogs } from '../src/wiring-tracing.ts';
import { startWorker } from './start-worker.ts';

const DEFAULT_METRICS_PORT = 9465;

/** `npm run worker`: queue -> batch -> Postgres. On the embedded Postgres it works beside a running `npm start`. */
async function main(): Promise<void> {
  const config = configOrExit({ servesApi: false });
  const { logger, openTracing } = createLogs(config, 'worker');
  const metrics = createMetrics();
  const started = createDrainList(logger);
  // From the start: a signal that comes while it starts must not leave behind what was handed to it.
  const signals = exitOnSignal({
    logger,
    timeoutMs: config.shutdownTimeoutMs,
    drain: () => started.drain(),
    reload: () => false,
  });
  try {
    const tracing = await openTracing();
    started.add('tracing', () => tracing.close());
    const ports = await createPorts(config, { logger, metrics, tracing, role: 'command' });
    started.add('ports', () => ports.close());
    const worker = await startWorker(ports, { ...workerOptions(config), logger, metrics, tracing });
    const readiness = createReadiness({
      checks: [...ports.probes, { name: 'queue', required: true, check: async () => worker.fault() }],
    });
    const server = createMetricsServer({ registry: metrics.registry, readiness, logger });
    started.add('metrics', () => server.close());
    started.add('worker', async () => {
      readiness.beginDraining();
      await worker.stop();
    });
    const { port } = await server.listen({ host: config.host, port: config.metricsPort ?? DEFAULT_METRICS_PORT });
    const { ready, parts } = await readiness.report();
    if (!ready) logger.warn({ problems: parts.filter((part) => !part.ready) }, 'not ready yet');
    logger.info({ metricsPort: port }, 'the worker is running');
  } catch (error) {
    // What was being started met its own end.
    if (signals.isDraining()) return;
    await started.abandon();
    throw error;
  }
}

main().catch(exitOnStartFault);
