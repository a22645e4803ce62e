import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { createRandom, createWeightedPick } from '../src/demo/random.ts';
import type { PostgresCluster } from '../test/servers/start-postgres.ts';
import { testDirectory } from '../test/servers/test-run.ts';
import { figure, type Figure } from './figure.ts';
import { createFilledCatalogue, startBenchPostgres } from './postgres.ts';
import { run, scriptArguments } from './program.ts';

const ROWS = 300_000;
const VENDORS = 247;
const REVIEWERS = 200_000;
const FIRST_MS = Date.UTC(2004, 0, 1);
const ACTIVE_VENDORS = 35;
const VENDOR_SHIFT_MS = 20 * 86_400_000;
const JITTER_MS = 5 * 86_400_000;
const SPAN_MS = 1_400 * 86_400_000;
const ROUNDS = 3;
const COLUMNS = 'itemId=vendorId,userId=reviewerId,occurredAt=date';
const PASSES = [['COMMENT'], ['LIKE', '--where', 'rating>=4']];

/** The import of a file of reviews into an empty database: BENCH_REVIEWS, or one made up of the same shape. */
export async function importRows(): Promise<Figure[]> {
  const given = process.env['BENCH_REVIEWS'];
  const file = given ?? (await generateReviews());
  const what = given === undefined ? 'made-up reviews' : 'the given reviews';
  await using postgres = await startBenchPostgres();
  const figures: Figure[] = [];
  for (const pass of PASSES) figures.push(...(await importAs(pass, what, file, postgres)));
  return figures;
}

/** `pass`: the type, and what else the import is told. */
async function importAs(
  pass: readonly string[],
  what: string,
  file: string,
  postgres: PostgresCluster,
): Promise<Figure[]> {
  const options = ['--interactions', file, '--create-items', '--columns', COLUMNS, '--type', ...pass];
  const rates: number[] = [];
  const memory: number[] = [];
  let rows = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const url = await createFilledCatalogue(postgres, 0);
    const done = await run([...scriptArguments('import'), ...options], { DATABASE_URL: url });
    rows = Number(/([\d,]+) rows \(/.exec(done.output)?.[1]?.replaceAll(',', ''));
    rates.push(rows / done.seconds);
    memory.push(Number(/at most (\d+) MB/.exec(done.output)?.[1]));
  }
  return [
    figure({
      name: 'import',
      what: `${what} as ${pass[0]}, csv.bz2, start to end`,
      values: rates,
      unit: ' rows/s',
      digits: 0,
      bar: { atLeast: 20_000 },
      detail: `${rows.toLocaleString('en')} rows into an empty database`,
    }),
    figure({
      name: 'import',
      what: `peak resident memory as ${pass[0]}`,
      values: memory,
      unit: ' MB',
      digits: 0,
      bar: { atMost: 300 },
    }),
  ];
}

/** As a marketplace's export: nearly in order of time, each vendor busy for some months, most reviewers there once or twice. */
async function generateReviews(): Promise<string> {
  const file = join(testDirectory('import'), 'reviews.csv.bz2');
  const bzip2 = spawn('bzip2', ['-c'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(bzip2, 'close');
  await Promise.all([pipeline(Readable.from(lines()), bzip2.stdin), pipeline(bzip2.stdout, createWriteStream(file))]);
  const [code] = await ended;
  if (code !== 0) throw new Error(`bzip2 ended with ${String(code)}`);
  return file;
}

function* lines(): Generator<string> {
  const random = createRandom(1);
  const pickActive = createWeightedPick(
    Array.from({ length: ACTIVE_VENDORS }, (_, rank) => 1 / (rank + 3)),
    random,
  );
  yield 'reviewerId,vendorId,rating,date\n';
  for (let row = 0; row < ROWS; row += 1) {
    const atMs = SPAN_MS * Math.sqrt(row / ROWS) + JITTER_MS * random();
    const vendor = (Math.floor(atMs / VENDOR_SHIFT_MS) * 3 + pickActive() * 7) % VENDORS;
    const date = new Date(FIRST_MS + atMs).toISOString().slice(0, 16).replace('T', ' ');
    yield `${Math.floor(random() * REVIEWERS)},${vendor},${1 + Math.floor(random() * 5)},${date}\n`;
  }
}
