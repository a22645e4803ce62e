import { copyOf } from './copy-of.ts';
import type { Ports } from '../ports.ts';
import type { ImportArguments } from './import-arguments.ts';
import { importInteractions } from './import-interactions.ts';
import { importItems } from './import-items.ts';
import type { ImportObserver, ImportTally } from './import-report.ts';
import { checkFile } from './open-file.ts';

export interface ImportedFile {
  readonly path: string;
  readonly tally: ImportTally;
  /** Only looked through: with --on-error abort, before anything is stored. */
  readonly checkOnly: boolean;
  readonly tookMs: number;
}

export interface ImportRun {
  readonly retentionDays: number;
  readonly nowMs: number;
  readonly signal: AbortSignal;
  /** Called before each file. */
  readonly observe: (path: string, checkOnly: boolean) => ImportObserver;
  /** Called after each file. */
  readonly onFile: (file: ImportedFile) => void;
}

export type ImportVerdict = 'imported' | 'bad-rows' | 'nothing-imported' | 'stopped';

/** Both files, items first, as asked for; then standings come up to date. @throws ImportFileError, UnavailableError */
export async function runImport(
  ports: Pick<Ports, 'items' | 'recorder' | 'standings'>,
  args: ImportArguments,
  run: ImportRun,
): Promise<ImportVerdict> {
  for (const path of [args.itemsPath, args.interactionsPath]) if (path !== null) await checkFile(path);
  if (args.onError === 'abort') {
    const files = await pass(ports, args, run, true);
    if (run.signal.aborted) return 'stopped';
    if (files.some(isFaulty)) return 'nothing-imported';
  }
  const files = await pass(ports, args, run, false);
  await refreshStandings(ports.standings);
  if (run.signal.aborted) return 'stopped';
  return files.some(isFaulty) ? 'bad-rows' : 'imported';
}

async function pass(
  ports: Pick<Ports, 'items' | 'recorder'>,
  args: ImportArguments,
  run: ImportRun,
  checkOnly: boolean,
): Promise<ImportedFile[]> {
  const { signal } = run;
  const files: ImportedFile[] = [];
  const alsoKnown = new Set<string>();

  async function one(
    path: string | null,
    work: (path: string, observer: ImportObserver) => Promise<ImportTally>,
  ): Promise<void> {
    if (path === null || signal.aborted) return;
    const startedAt = performance.now();
    const tally = await work(path, run.observe(path, checkOnly));
    const file = { path, tally, checkOnly, tookMs: performance.now() - startedAt };
    run.onFile(file);
    files.push(file);
  }

  await one(args.itemsPath, (path, observer) =>
    importItems(ports.items, { path, columns: args.itemColumns, checkOnly, signal }, observer, (id) => {
      if (checkOnly) alsoKnown.add(copyOf(id));
    }),
  );
  await one(args.interactionsPath, (path, observer) =>
    importInteractions(
      ports,
      {
        path,
        type: args.type,
        columns: args.interactionColumns,
        where: args.where,
        createItems: args.createItems,
        retentionDays: run.retentionDays,
        nowMs: run.nowMs,
        checkOnly,
        alsoKnown,
        signal,
      },
      observer,
    ),
  );
  return files;
}

function isFaulty({ tally }: ImportedFile): boolean {
  return tally.bad > 0 || tally.damaged !== null;
}

/** For when no worker runs; when one does, it leads and there is nothing to do here. */
async function refreshStandings(standings: Ports['standings']): Promise<void> {
  for (;;) {
    const { led, more } = await standings.refresh();
    if (!led || !more) return;
  }
}
