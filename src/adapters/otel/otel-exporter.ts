import { ExportResultCode } from '@opentelemetry/core';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { Logger } from '../../runtime/logger.ts';

/** Says once that the collector takes nothing, and once that it does again. What it did not take is gone. */
export function reportFailures(exporter: SpanExporter, logger: Logger): SpanExporter {
  let failing = false;
  return {
    export(spans, callback) {
      exporter.export(spans, (result) => {
        const failed = result.code !== ExportResultCode.SUCCESS;
        if (failed && !failing) logger.warn({ error: result.error }, 'the collector takes no traces');
        if (!failed && failing) logger.info('the collector takes traces again');
        failing = failed;
        callback(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}
