import { openBadRowFile, type BadRowFile } from '../import/bad-row-file.ts';
import { IMPORT_USAGE, parseImportArguments } from '../import/import-arguments.ts';
import { ImportFileError } from '../import/import-file-error.ts';
import { runImport } from '../import/run-import.ts';
import { UnavailableError } from '../runtime/errors.ts';
import { onStopSignals } from '../runtime/shutdown.ts';
import { exitOnStartFault } from '../runtime/start-fault.ts';
import { exitWithUsage, withPorts } from './command-ports.ts';
import { createImportProgress } from './import-progress.ts';

const EXIT_STOPPED = 130;

/** `npm run import`: files of items and interactions into Postgres, past the queue. */
async function main(): Promise<void> {
  const parsed = parseImportArguments(process.argv.slice(2));
  if (parsed.kind === 'help') {
    process.stdout.write(IMPORT_USAGE);
    return;
  }
  if (parsed.kind === 'fault') return exitWithUsage(parsed.fault, IMPORT_USAGE);

  const stop = new AbortController();
  const stopSoon = (): void => {
    process.stderr.write('stopping after what was read; once more stops at once\n');
    stop.abort();
  };
  onStopSignals(['SIGINT', 'SIGTERM'], stopSoon, () => process.exit(EXIT_STOPPED));
  process.exitCode = await withPorts(async (ports, { retentionDays }) => {
    let badRows: BadRowFile | null = null;
    try {
      const { badRowsPath } = parsed.arguments;
      badRows = badRowsPath === null ? null : openBadRowFile(badRowsPath);
      const progress = createImportProgress(badRows);
      const verdict = await runImport(ports, parsed.arguments, {
        retentionDays,
        nowMs: Date.now(),
        signal: stop.signal,
        observe: progress.observe,
        onFile: progress.onFile,
      });
      if (verdict === 'nothing-imported') process.stderr.write('nothing was imported\n');
      if (verdict === 'stopped')
        process.stderr.write('stopped: what was stored stays; the same command goes on from there\n');
      const memoryMb = Math.round(process.resourceUsage().maxRSS / 1_024);
      process.stdout.write(`at most ${memoryMb} MB of memory\n`);
      return verdict === 'stopped' ? EXIT_STOPPED : verdict === 'imported' ? 0 : 1;
    } catch (error) {
      if (error instanceof ImportFileError) process.stderr.write(`${error.message}\n`);
      else if (error instanceof UnavailableError) {
        process.stderr.write(`${error.message}: what was stored stays; the same command goes on from there\n`);
      } else throw error;
      return 1;
    } finally {
      badRows?.close();
    }
  });
}

main().catch(exitOnStartFault);
