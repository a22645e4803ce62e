import { isRecord } from '../runtime/is-record.ts';
import type { ReadinessReport } from '../runtime/readiness.ts';

const PART = 'API processes';

/**
 * What is true of all API processes together: ready while one of them is, since the port they share answers. Fewer than
 * wanted is a problem of the optional kind, none one of the required kind. `reports`: of those that listen and answer.
 */
export function groupReadiness(
  reports: readonly ReadinessReport[],
  { wanted, draining }: { readonly wanted: number; readonly draining: boolean },
): ReadinessReport {
  const ready = reports.filter((report) => report.ready).length;
  const best = reports.find((report) => report.ready) ?? reports[0];
  const problem = ready < wanted ? `${ready === 0 ? 'none' : ready} of ${wanted} ready` : null;
  const part = { name: PART, required: ready === 0, ready: problem === null, problem };
  return { ready: ready > 0 && !draining, draining, parts: [...(best?.parts ?? []), part] };
}

/** Undefined for what is no report: it comes from another process. */
export function parseReport(value: unknown): ReadinessReport | undefined {
  if (!isRecord(value)) return undefined;
  const { ready, draining, parts } = value;
  if (typeof ready !== 'boolean' || typeof draining !== 'boolean' || !Array.isArray(parts)) return undefined;
  return { ready, draining, parts: parts.filter(isPart) };
}

function isPart(value: unknown): value is ReadinessReport['parts'][number] {
  return (
    isRecord(value) &&
    typeof value['name'] === 'string' &&
    typeof value['required'] === 'boolean' &&
    typeof value['ready'] === 'boolean' &&
    (value['problem'] === null || typeof value['problem'] === 'string')
  );
}
