/** A safety line, how it is taken away, and the row that must not hold without it. */
export interface Mutation {
  readonly line: string;
  readonly file: string;
  readonly edits: readonly { readonly find: string; readonly replace: string }[];
  readonly row: string;
  /** In what the row says is wrong: it must fail for this reason, and for no other alone. */
  readonly because: RegExp;
}

const QUEUE = 'src/adapters/rabbitmq/rabbitmq-queue.ts';
const RECORDER = 'src/adapters/postgres/postgres-recorder.ts';
const RECORD_SQL = 'src/adapters/postgres/record-batch-sql.ts';
/** The key orders of every table that batches of different workers meet on. */
const ORDERS = [
  'ORDER BY item_key, minute, type',
  'ORDER BY item_key, minute / 60, type',
  'ORDER BY item_key, minute / 1440, type',
  'ORDER BY item_key, type',
];

export const MUTATIONS: readonly Mutation[] = [
  {
    line: 'ack after commit',
    file: 'worker/record-batch.ts',
    edits: [
      {
        find: 'const outcome = await untilSettled(async () => recorder.record(entries, rejected));',
        replace:
          'source.ack(settles); const outcome = await untilSettled(async () => recorder.record(entries, rejected));',
      },
    ],
    row: 'worker-inserted',
    because: /\d+ lost/,
  },
  {
    line: 'outbox rows go with the commit',
    file: RECORDER,
    edits: [
      {
        find: 'const taken = await takeFromOutbox(tx, outboxSeqs);',
        replace: 'const taken = await database.primary((client) => takeFromOutbox(client, outboxSeqs));',
      },
    ],
    row: 'worker-inserted-outbox',
    because: /\d+ lost/,
  },
  {
    line: '`mandatory`',
    file: 'src/adapters/rabbitmq/rabbitmq-packs.ts',
    edits: [{ find: 'mandatory: true', replace: 'mandatory: false' }],
    row: 'broker-unbound',
    because: /\d+ lost/,
  },
  {
    line: 'sort',
    file: RECORD_SQL,
    edits: ORDERS.map((find) => ({ find, replace: 'ORDER BY random()' })),
    row: 'many-workers',
    because: /no deadlock: \d+/,
  },
  {
    line: 'only fresh rows',
    file: RECORD_SQL,
    edits: [
      {
        find: "SELECT item_key, type, minute, 1 AS events, 0 AS people FROM fresh WHERE type NOT IN ('LIKE', 'SAVE')",
        replace:
          "SELECT item_key, type, uuid_minute(id) AS minute, 1 AS events, 0 AS people FROM input WHERE type NOT IN ('LIKE', 'SAVE')",
      },
    ],
    row: 'worker-committed',
    because: /miscounted/,
  },
  {
    // What comes again is folded once more and changes nothing; a reaction given again is another interaction.
    line: 'only what changes a reaction',
    file: RECORD_SQL,
    edits: [
      {
        find: 'SELECT item_key, type, old_since_id, since_id FROM refolded',
        replace: 'SELECT item_key, type, NULL::uuid AS old_since_id, since_id FROM refolded',
      },
    ],
    row: 'many-workers',
    because: /miscounted/,
  },
  {
    line: 'one id, one interaction',
    file: RECORDER,
    edits: [
      {
        find: 'return pick(batch, ids).map(',
        replace: 'return pick(batch, new Set<string>()).map(',
      },
    ],
    row: 'poison',
    because: /each rejected with its reason: \d+ not/,
  },
  {
    line: 'nothing of whom was erased',
    file: RECORD_SQL,
    edits: [{ find: 'FROM input WHERE NOT erased ORDER BY id', replace: 'FROM input ORDER BY id' }],
    row: 'erased',
    because: /\d+ duplicated/,
  },
  {
    line: 'confirm before answer',
    file: QUEUE,
    edits: [
      {
        find: 'call.unconfirmed = packer.add(call, call.bodies, call.traceparent);',
        replace: 'call.unconfirmed = packer.add(call, call.bodies, call.traceparent); settle(call);',
      },
    ],
    row: 'broker-black-hole',
    because: /\d+ lost/,
  },
  {
    line: 'breaker',
    file: QUEUE,
    edits: [{ find: 'if (missed && !stalled && alarm === null) stall();', replace: 'void missed;' }],
    row: 'broker-frozen',
    because: /breaker within 1 s/,
  },
  {
    line: 'deadline',
    file: QUEUE,
    edits: [
      { find: 'expiresAtMs: performance.now() + deadlineMs', replace: 'expiresAtMs: performance.now() + 86_400_000' },
    ],
    row: 'broker-frozen',
    because: /nobody waits longer|100 % accepted/,
  },
];

/** The file's text without the safety line. Throws where the line is not as it is known here: then this list is out of date. */
export function mutated(text: string, { line, file, edits }: Mutation): string {
  let result = text;
  for (const { find, replace } of edits) {
    if (!result.includes(find)) throw new Error(`${line}: ${file} has no \`${find}\``);
    result = result.replaceAll(find, () => replace);
  }
  return result;
}
