import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { parseRankings, rankingsToJson, type ParsedRankings } from '../popularity/parse-rankings.ts';
import { messageOf } from '../runtime/errors.ts';
import { exitOnStartFault } from '../runtime/start-fault.ts';
import { exitWithUsage, withPorts } from './command-ports.ts';

const USAGE = `npm run rankings -- list
npm run rankings -- apply FILE

  list         the rankings as JSON, as apply takes them
  apply FILE   makes the rankings in the file the only ones; every process follows within 5 seconds

A file is an array of { name, description, weights, counts, window or halfLifeHours }:
  weights        by type, e.g. { "VIEW": 1, "LIKE": 3 }; types left out do not count
  counts         "people" (each once per item, type and hour) or "events"
  window         the default: HOUR, DAY, WEEK, MONTH or ALL_TIME
  halfLifeHours  in place of window: all history counts, ever less

Exit: 0 done, 1 a faulty file, 64 wrong use, 78 wrong configuration.
`;

async function main(): Promise<void> {
  const read = readArguments();
  if (typeof read === 'string') return exitWithUsage(read, USAGE);
  if (read.values.help === true) {
    process.stdout.write(USAGE);
    return;
  }
  const [verb, path, ...more] = read.positionals;
  if (verb === 'list' && path === undefined) {
    process.exitCode = await withPorts(async ({ rankings }) => {
      process.stdout.write(rankingsToJson(await rankings.list()));
      return 0;
    });
  } else if (verb === 'apply' && path !== undefined && more.length === 0) {
    process.exitCode = await apply(path);
  } else {
    exitWithUsage(verb === 'apply' ? 'apply takes one file' : 'list, or apply FILE', USAGE);
  }
}

async function apply(path: string): Promise<number> {
  const parsed = await readRankings(path);
  if (!parsed.ok) {
    for (const fault of parsed.faults) process.stderr.write(`${path}: ${fault}\n`);
    return 1;
  }
  return withPorts(async ({ rankings }) => {
    await rankings.replaceAll(parsed.rankings);
    process.stdout.write(`applied: ${parsed.rankings.map(({ name }) => name).join(', ')}\n`);
    return 0;
  });
}

async function readRankings(path: string): Promise<ParsedRankings> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    return { ok: false, faults: [`cannot be read: ${messageOf(error)}`] };
  }
  try {
    return parseRankings(JSON.parse(text));
  } catch (error) {
    return { ok: false, faults: [`is not JSON: ${messageOf(error)}`] };
  }
}

function readArguments() {
  try {
    return parseArgs({ allowPositionals: true, options: { help: { type: 'boolean', short: 'h' } } });
  } catch (error) {
    return messageOf(error);
  }
}

main().catch(exitOnStartFault);
