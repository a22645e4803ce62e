import { messageOf } from '../../runtime/errors.ts';
import type { Finding } from '../../runtime/finding.ts';

const DEADLINE_MS = 3_000;

/** Whether the collector takes an export, of nothing. */
export async function examineCollector(url: string, headers: Readonly<Record<string, string>>): Promise<Finding> {
  const part = 'Collector (OTEL_EXPORTER_OTLP_ENDPOINT)';
  const startedAtMs = performance.now();
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: '{"resourceSpans":[]}',
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    await response.body?.cancel();
    const tookMs = Math.round(performance.now() - startedAtMs);
    if (response.ok) return { part, ok: true, text: `takes traces; answers in ${tookMs} ms` };
    return { part, ok: false, text: `answers ${response.status} to an export of traces` };
  } catch (error) {
    return { part, ok: false, text: messageOf(error) };
  }
}
