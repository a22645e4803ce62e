import { SingleBar } from 'cli-progress';
import type { BadRowFile } from '../import/bad-row-file.ts';
import type { ImportObserver } from '../import/import-report.ts';
import type { ImportedFile } from '../import/run-import.ts';

const SHOWN_BAD_ROWS = 20;
const PLAIN_EVERY_MS = 5_000;

export interface ImportProgress {
  observe(path: string, checkOnly: boolean): ImportObserver;
  onFile(file: ImportedFile): void;
}

/**
 * A bar on a terminal, else a line every five seconds; the first bad rows by line. All on stderr; what came of each file on
 * stdout. Every bad row goes into `badRows`.
 */
export function createImportProgress(badRows: BadRowFile | null): ImportProgress {
  let finish: () => void = () => undefined;
  return {
    observe(path, checkOnly) {
      const shown = process.stderr.isTTY ? showBar(path, checkOnly) : showLines(path, checkOnly);
      finish = shown.finish;
      let bad = 0;
      return {
        onProgress: shown.onProgress,
        onBadRow(line, fault) {
          bad += 1;
          const text = `${path}:${line}: ${fault}`;
          badRows?.add(text);
          if (bad <= SHOWN_BAD_ROWS) shown.write(`${text}\n`);
          if (bad === SHOWN_BAD_ROWS + 1) {
            const where = badRows === null ? 'with --bad-rows FILE all are named there' : `all are in ${badRows.path}`;
            shown.write(`${path}: more bad rows are counted but not shown: ${where}\n`);
          }
        },
      };
    },
    onFile({ path, tally, checkOnly, tookMs }) {
      finish();
      if (tally.damaged !== null) process.stderr.write(`${tally.damaged}\n`);
      const counts = checkOnly
        ? []
        : [
            `${number(tally.recorded)} stored`,
            ...(tally.known > 0 ? [`${number(tally.known)} known already`] : []),
            ...(tally.discarded > 0 ? [`${number(tally.discarded)} of erased people discarded`] : []),
          ];
      const left = tally.leftOut > 0 ? [`${number(tally.leftOut)} left out by --where`] : [];
      const all = [...counts, ...left, `${number(tally.bad)} bad`].join(', ');
      const speed = `${(tookMs / 1_000).toFixed(1)} s, ${number((tally.rows / tookMs) * 1_000)} rows/s`;
      process.stdout.write(`${checkOnly ? 'checked ' : ''}${path}: ${number(tally.rows)} rows (${speed}): ${all}\n`);
    },
  };
}

interface Shown {
  readonly onProgress: ImportObserver['onProgress'];
  write(text: string): void;
  finish(): void;
}

function showBar(path: string, checkOnly: boolean): Shown {
  const bar = new SingleBar({
    format: `${checkOnly ? 'checking ' : ''}${path} {bar} {percentage} % | {rows} rows | {eta_formatted} left`,
    stream: process.stderr,
    hideCursor: true,
    etaBuffer: 50,
  });
  bar.start(1, 0, { rows: '0' });
  return {
    onProgress({ rows, bytesRead, sizeBytes }) {
      bar.setTotal(sizeBytes);
      bar.update(bytesRead, { rows: number(rows) });
    },
    write: (text) => void process.stderr.write(`\r\u001B[K${text}`),
    finish: () => bar.stop(),
  };
}

function showLines(path: string, checkOnly: boolean): Shown {
  let shownAt = performance.now();
  return {
    onProgress({ rows, bytesRead, sizeBytes }) {
      if (performance.now() - shownAt < PLAIN_EVERY_MS) return;
      shownAt = performance.now();
      const percent = Math.floor((100 * bytesRead) / sizeBytes);
      process.stderr.write(`${checkOnly ? 'checking ' : ''}${path}: ${number(rows)} rows, ${percent} % read\n`);
    },
    write: (text) => void process.stderr.write(text),
    finish: () => undefined,
  };
}

function number(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
