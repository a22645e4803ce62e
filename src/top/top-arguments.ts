import { parseArgs } from 'node:util';
import { messageOf } from '../runtime/errors.ts';

export const TOP_USAGE = `npm run top -- [--metrics URL ...] [--interval SECONDS] [--once] [--json]

Rates, lag, depths and faults of a running system, from the metrics of its processes and from its parts as configured in the
environment. q or Ctrl-C leaves.

  --metrics URL   the metrics port of an API or worker; may be given again.
                  Without: http://127.0.0.1:9464 and, where the worker is a process of its own, http://127.0.0.1:9465
  --interval N    seconds between two looks, 0.2 to 60 (2; with --once 1)
  --once          looks twice, prints once and ends
  --json          a line of JSON for each look, in place of the view

Exit: 0 done, 1 nothing answered at all (with --once), 64 wrong use, 78 wrong configuration.
`;

const API_ORIGIN = 'http://127.0.0.1:9464';
const WORKER_ORIGIN = 'http://127.0.0.1:9465';

export interface TopArguments {
  /** Null: those of this machine. */
  readonly origins: readonly string[] | null;
  readonly intervalMs: number;
  readonly once: boolean;
  readonly json: boolean;
}

export type ParsedTopArguments =
  | { readonly kind: 'run'; readonly arguments: TopArguments }
  | { readonly kind: 'help' }
  | { readonly kind: 'fault'; readonly fault: string };

export function parseTopArguments(argv: readonly string[]): ParsedTopArguments {
  const read = readOptions(argv);
  if (typeof read === 'string') return { kind: 'fault', fault: read };
  const { help, metrics, interval, once = false, json = false } = read;
  if (help === true) return { kind: 'help' };
  const foreign = metrics?.find((text) => !isHttpUrl(text));
  if (foreign !== undefined) return { kind: 'fault', fault: `--metrics ${foreign} is no http:// or https:// URL` };
  const seconds = interval === undefined ? (once ? 1 : 2) : Number(interval);
  if (!(seconds >= 0.2 && seconds <= 60)) return { kind: 'fault', fault: '--interval takes 0.2 to 60 seconds' };
  const origins = metrics === undefined ? null : [...new Set(metrics.map((text) => new URL(text).origin))];
  return { kind: 'run', arguments: { origins, intervalMs: seconds * 1_000, once, json } };
}

/** On the embedded Postgres the process of `npm start` is the worker too. */
export function localOrigins(isEmbedded: boolean): string[] {
  return isEmbedded ? [API_ORIGIN] : [API_ORIGIN, WORKER_ORIGIN];
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol);
}

function readOptions(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        help: { type: 'boolean', short: 'h' },
        metrics: { type: 'string', multiple: true },
        interval: { type: 'string' },
        once: { type: 'boolean' },
        json: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    return messageOf(error);
  }
}
