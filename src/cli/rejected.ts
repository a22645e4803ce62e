import { parseArgs } from 'node:util';
import type { RejectionReason } from '../interactions/recorder.ts';
import type { RejectedFilter, RejectedRow, RejectedStore } from '../interactions/rejected-store.ts';
import { messageOf } from '../runtime/errors.ts';
import { exitOnStartFault } from '../runtime/start-fault.ts';
import { exitWithUsage, withPorts } from './command-ports.ts';

const REASONS: readonly RejectionReason[] = [
  'INVALID_MESSAGE',
  'NEWER_VERSION',
  'ITEM_NOT_FOUND',
  'ID_REUSED',
  'RECORD_FAILED',
];
const PAGE = 500;

const USAGE = `npm run rejected -- list    [--reason REASON] [--seq N ...] [--json]
npm run rejected -- replay  (--all | --reason REASON | --seq N ...)
npm run rejected -- discard (--all | --reason REASON | --seq N ...)

What could not be recorded, kept with its reason.

  list      oldest first; --json gives a line of JSON each, with the message as it came
  replay    back into the queue: a worker tries again
  discard   deletes them for good
  --reason  ${REASONS.join(', ')}
  --seq     the number that list shows; may be given again

Exit: 0 done, 64 wrong use, 78 wrong configuration.
`;

async function main(): Promise<void> {
  const read = readArguments();
  if (typeof read === 'string') return exitWithUsage(read, USAGE);
  const { help, all = false, json = false, reason: reasonText, seq = [] } = read.values;
  if (help === true) {
    process.stdout.write(USAGE);
    return;
  }
  const [verb, ...more] = read.positionals;
  const reason = REASONS.find((name) => name === reasonText?.toUpperCase());
  const badSeq = seq.find((text) => !/^\d{1,18}$/.test(text));
  const selects = reasonText !== undefined || seq.length > 0;
  if ((verb !== 'list' && verb !== 'replay' && verb !== 'discard') || more.length > 0) {
    return exitWithUsage('list, replay or discard', USAGE);
  }
  if (reasonText !== undefined && reason === undefined) return exitWithUsage(`no reason is named ${reasonText}`, USAGE);
  if (badSeq !== undefined) return exitWithUsage(`--seq ${badSeq} is no number`, USAGE);
  if (all && selects) return exitWithUsage('--all, or a choice by --reason and --seq, not both', USAGE);
  if (verb !== 'list' && !all && !selects) return exitWithUsage(`${verb} needs --all, --reason or --seq`, USAGE);
  if (verb !== 'list' && json) return exitWithUsage('--json goes with list', USAGE);

  const filter: RejectedFilter = {
    ...(reason === undefined ? {} : { reason }),
    ...(seq.length === 0 ? {} : { seqs: seq.map(BigInt) }),
  };
  process.exitCode = await withPorts(async ({ rejected }) => {
    if (verb === 'list') await list(rejected, filter, json);
    else if (verb === 'replay') process.stdout.write(`${await rejected.replay(filter)} back in the queue\n`);
    else process.stdout.write(`${await rejected.discard(filter)} discarded\n`);
    return 0;
  });
}

async function list(store: RejectedStore, filter: RejectedFilter, json: boolean): Promise<void> {
  let count = 0;
  let afterSeq = 0n;
  for (;;) {
    const rows = await store.list(filter, afterSeq, PAGE);
    for (const row of rows) process.stdout.write(json ? asJson(row) : asLine(row));
    count += rows.length;
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) break;
    afterSeq = last.seq;
  }
  if (!json) process.stdout.write(count === 0 ? 'nothing is rejected\n' : `${count} rejected\n`);
}

function asLine({ seq, rejectedAt, reason, interactionId, detail }: RejectedRow): string {
  return `${seq}  ${rejectedAt.toISOString()}  ${reason}  ${interactionId ?? '-'}  ${onOneLine(detail)}\n`;
}

function asJson({ seq, rejectedAt, reason, interactionId, detail, body }: RejectedRow): string {
  const bytes = Buffer.from(body);
  const text = bytes.toString('utf8');
  // What is no UTF-8 would come out changed.
  const message = Buffer.from(text).equals(bytes) ? { body: text } : { bodyBase64: bytes.toString('base64') };
  return `${JSON.stringify({ seq: Number(seq), rejectedAt, reason, interactionId, detail, ...message })}\n`;
}

/** Texts of strangers: nothing in them may steer the terminal. */
function onOneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        reason: { type: 'string' },
        seq: { type: 'string', multiple: true },
        all: { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    return messageOf(error);
  }
}

main().catch(exitOnStartFault);
