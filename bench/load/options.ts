import { parseArgs } from 'node:util';

export interface LoadOptions {
  readonly users: number;
  /** With all users there. */
  readonly seconds: number;
  /** New users per second. */
  readonly spawnRate: number;
  /** Locust processes that send. */
  readonly locustWorkers: number;
  readonly peer: 'django' | 'none';
  /** Interactions of the last week that both stacks begin with. */
  readonly history: number;
  /** How long each saturation measure loads; 0 leaves them out. */
  readonly saturationSeconds: number;
  /** The folder that the report goes into. */
  readonly report: string;
}

export const USAGE = `npm run load [-- OPTIONS]

  --users N               simultaneous users (2000)
  --seconds N             with all of them there (300)
  --spawn-rate N          new users per second (100)
  --locust-workers N      processes that send (2)
  --peer django|none      the guide's stack under the same load (django)
  --history N             interactions of the last week that both begin with (100000)
  --saturation-seconds N  of each saturation measure, 0 for none (15)
  --report FOLDER         where report.html and summary.md go (load-report)
`;

/** Throws a message to show with the usage. */
export function parseOptions(args: readonly string[]): LoadOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      users: { type: 'string', default: '2000' },
      seconds: { type: 'string', default: '300' },
      'spawn-rate': { type: 'string', default: '100' },
      'locust-workers': { type: 'string', default: '2' },
      peer: { type: 'string', default: 'django' },
      history: { type: 'string', default: '100000' },
      'saturation-seconds': { type: 'string', default: '15' },
      report: { type: 'string', default: 'load-report' },
    },
  });
  const number = (name: Exclude<keyof typeof values, 'peer' | 'report'>, least: number): number => {
    const value = Number(values[name]);
    if (!Number.isSafeInteger(value) || value < least) throw new Error(`--${name}: a whole number from ${least} on`);
    return value;
  };
  const { peer, report } = values;
  if (peer !== 'django' && peer !== 'none') throw new Error('--peer: django or none');
  return {
    users: number('users', 1),
    seconds: number('seconds', 1),
    spawnRate: number('spawn-rate', 1),
    locustWorkers: number('locust-workers', 1),
    peer,
    history: number('history', 1),
    saturationSeconds: number('saturation-seconds', 0),
    report,
  };
}
