import { messageOf } from '../runtime/errors.ts';
import { parseMetrics, type MetricSample } from './prometheus-text.ts';
import type { Looked } from './part-gauges.ts';

const DEADLINE_MS = 3_000;

export interface ProcessGauges {
  readonly samples: readonly MetricSample[];
  readonly ready: boolean;
  /** What its readiness says is wrong, required or not. */
  readonly problems: readonly string[];
}

/** `/metrics` and `/health/ready` of the metrics port at `origin`. Never rejects. */
export async function lookAtProcess(origin: string): Promise<Looked<ProcessGauges>> {
  try {
    const [metrics, ready] = await Promise.all([get(`${origin}/metrics`), get(`${origin}/health/ready`)]);
    if (metrics.status !== 200) return { up: false, fault: `/metrics answers ${metrics.status}` };
    const report: unknown = JSON.parse(ready.text);
    return {
      up: true,
      value: { samples: parseMetrics(metrics.text), ready: ready.status === 200, problems: problemsOf(report) },
    };
  } catch (error) {
    return { up: false, fault: messageOf(error) };
  }
}

async function get(url: string): Promise<{ status: number; text: string }> {
  const response = await fetch(url, { signal: AbortSignal.timeout(DEADLINE_MS) });
  return { status: response.status, text: await response.text() };
}

function problemsOf(report: unknown): string[] {
  if (typeof report !== 'object' || report === null) return [];
  const draining = 'draining' in report && report.draining === true ? ['draining'] : [];
  const parts: unknown[] = 'parts' in report && Array.isArray(report.parts) ? report.parts : [];
  const problems = parts.flatMap((part) => {
    if (typeof part !== 'object' || part === null || !('problem' in part) || typeof part.problem !== 'string')
      return [];
    return [`${'name' in part ? String(part.name) : 'a part'}: ${part.problem}`];
  });
  return [...draining, ...problems];
}
