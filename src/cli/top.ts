import { configOrExit } from '../config.ts';
import { createLogger } from '../runtime/logger.ts';
import { exitOnStartFault } from '../runtime/start-fault.ts';
import { runTop, type TopScreen } from '../top/run-top.ts';
import { localOrigins, parseTopArguments, TOP_USAGE } from '../top/top-arguments.ts';
import { watchParts } from '../wiring-gauges.ts';
import { exitWithUsage } from './command-ports.ts';

/** The alternate screen: what stood on the terminal comes back. */
const ENTER = '\u001B[?1049h\u001B[?25l';
const LEAVE = '\u001B[?25h\u001B[?1049l';
const CLOSE_MS = 1_000;
const CTRL_C = '\u0003';

/** `npm run top`: what goes on, live. */
async function main(): Promise<void> {
  const parsed = parseTopArguments(process.argv.slice(2));
  if (parsed.kind === 'help') {
    process.stdout.write(TOP_USAGE);
    return;
  }
  if (parsed.kind === 'fault') return exitWithUsage(parsed.fault, TOP_USAGE);

  const config = configOrExit({ servesApi: false });
  const { once, json } = parsed.arguments;
  const origins = parsed.arguments.origins ?? localOrigins(config.database.url === null);
  const live = process.stdout.isTTY && !once && !json;
  const leaving = new AbortController();
  const leave = (): void => leaving.abort();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, leave);
  // `npm run top | head` has seen enough.
  process.stdout.on('error', leave);

  const parts = await watchParts(config, createLogger('fatal', 'top'));
  const restore = live ? openScreen(leave) : () => undefined;
  try {
    const saw = await runTop({ ...parsed.arguments, origins, parts, screen: screen(live), signal: leaving.signal });
    if (!saw) process.exitCode = 1;
  } finally {
    restore();
    // A part that hangs is not waited for.
    setTimeout(() => process.exit(), CLOSE_MS).unref();
    await parts.close();
  }
}

function screen(live: boolean): TopScreen {
  return {
    live,
    columns: () => process.stdout.columns,
    rows: () => process.stdout.rows,
    write: (text) => void process.stdout.write(text),
  };
}

function openScreen(leave: () => void): () => void {
  process.stdout.write(ENTER);
  const { stdin } = process;
  if (stdin.isTTY) stdin.setRawMode(true);
  const onKey = (key: Buffer): void => {
    if (['q', 'Q', CTRL_C].includes(key.toString())) leave();
  };
  stdin.on('data', onKey);
  return () => {
    stdin.off('data', onKey);
    if (stdin.isTTY) stdin.setRawMode(false);
    stdin.pause();
    process.stdout.write(LEAVE);
  };
}

main().catch(exitOnStartFault);
