import { parseArgs } from 'node:util';

export interface FaultOptions {
  /** Decides when what is hurt. */
  readonly seed: number;
  /** Each row in its short form. */
  readonly isQuick: boolean;
  /** Names of rows; none: all. */
  readonly only: readonly string[];
  /** What comes of it goes into docs/reliability.md as well. */
  readonly report: boolean;
  /** Takes away one safety line after the other in place of the rows. */
  readonly mutations: boolean;
}

export const USAGE = `npm run test:faults [-- OPTIONS]

  --quick       each row in its short form, as CI runs them
  --seed N      repeats a run (a new one if left out)
  --only NAME   this row alone; may be given again
  --report      puts the table, or the count of safety lines, into docs/reliability.md
  --mutations   takes away one safety line after the other; each time a row must fail
`;

/** Throws a message to show with the usage. */
export function parseOptions(args: readonly string[], rows: readonly string[]): FaultOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      quick: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      report: { type: 'boolean', default: false },
      mutations: { type: 'boolean', default: false },
    },
  });
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
  if (!Number.isSafeInteger(seed) || seed < 0 || seed >= 2 ** 31) throw new Error('--seed: a whole number below 2^31');
  const unknown = values.only.find((name) => !rows.includes(name));
  if (unknown !== undefined) throw new Error(`--only: ${unknown} is none of ${rows.join(', ')}`);
  const { quick: isQuick, only, report, mutations } = values;
  return { seed, isQuick, only, report, mutations };
}
