import type { ConfigVariableName } from './config-variables.ts';

const EXPORTERS = ['otlp', 'none'] as const;
const SAMPLERS = [
  'parentbased_traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'traceidratio',
  'always_on',
  'always_off',
] as const;
const DEFAULT_ENDPOINT = 'http://localhost:4318';

export interface TracingConfig {
  /** Null: a name by what the process is. */
  readonly serviceName: string | null;
  /** Where the collector takes traces, with the path. */
  readonly url: string;
  /** May hold secrets. */
  readonly headers: Readonly<Record<string, string>>;
  readonly resource: Readonly<Record<string, string>>;
  readonly sampler: { readonly parentBased: boolean; readonly ratio: number };
}

/** What parseConfig reads variables with. */
export interface Reader {
  read(name: ConfigVariableName): string | null;
  url(name: ConfigVariableName, schemes: readonly string[]): string | null;
  oneOf<const Choice extends string>(name: ConfigVariableName, choices: readonly [Choice, ...Choice[]]): Choice;
  fault(name: ConfigVariableName, text: string): void;
}

/** OpenTelemetry's own variables, as far as they mean something here; null: tracing is off, and none of them matters. */
export function parseTracing({ read, url, oneOf, fault }: Reader): TracingConfig | null {
  if (read('OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return null;
  const given = read('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') ?? read('OTEL_EXPORTER_OTLP_ENDPOINT');
  if (read('OTEL_TRACES_EXPORTER') === null ? given === null : oneOf('OTEL_TRACES_EXPORTER', EXPORTERS) === 'none')
    return null;
  const schemes = ['http:', 'https:'];
  const base = url('OTEL_EXPORTER_OTLP_ENDPOINT', schemes) ?? DEFAULT_ENDPOINT;
  const sampler = oneOf('OTEL_TRACES_SAMPLER', SAMPLERS);
  const ratio = Number(read('OTEL_TRACES_SAMPLER_ARG'));
  if (!(ratio >= 0 && ratio <= 1)) fault('OTEL_TRACES_SAMPLER_ARG', 'must be a number from 0 to 1');
  return {
    serviceName: read('OTEL_SERVICE_NAME'),
    url: url('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', schemes) ?? `${base.replace(/\/+$/, '')}/v1/traces`,
    headers: pairs('OTEL_EXPORTER_OTLP_HEADERS'),
    resource: pairs('OTEL_RESOURCE_ATTRIBUTES'),
    sampler: {
      parentBased: sampler.startsWith('parentbased_'),
      ratio: sampler.endsWith('always_on') ? 1 : sampler.endsWith('always_off') ? 0 : ratio,
    },
  };

  function pairs(name: 'OTEL_EXPORTER_OTLP_HEADERS' | 'OTEL_RESOURCE_ATTRIBUTES'): Record<string, string> {
    const found: Record<string, string> = {};
    for (const part of (read(name) ?? '').split(',')) {
      if (part.trim() === '') continue;
      const at = part.indexOf('=');
      const key = part.slice(0, Math.max(0, at)).trim();
      try {
        if (key === '') throw new URIError('no key');
        found[decodeURIComponent(key)] = decodeURIComponent(part.slice(at + 1).trim());
      } catch {
        fault(name, 'must be key=value pairs, comma-separated and percent-encoded');
        break;
      }
    }
    return found;
  }
}
