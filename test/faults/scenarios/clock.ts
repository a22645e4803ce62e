import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newInteractionId } from '../../../src/interactions/interaction-id.ts';
import { testDirectory } from '../../servers/test-run.ts';
import { waitFor } from '../../servers/wait-for.ts';
import { ask, at } from '../ask.ts';
import type { Arena, Row } from '../row.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** MAX_AGE_DAYS as it comes. */
const MAX_AGE_MS = 30 * DAY_MS;
const EACH = { quick: 30, full: 500 };
const ONE = `mutation ($input: RecordInteractionInput!) {
  recordInteraction(input: $input) { interaction { id } userErrors { code } } }`;

export const clock: Row = {
  name: 'clock',
  fault: 'the clock set back and forward by an hour on the API',
  async run(arena) {
    const file = join(testDirectory('clock'), 'offset');
    writeFileSync(file, '+0');
    const api = await arena.system.supervise('api', {
      LD_PRELOAD: libfaketime(),
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      // Only what clocks say: timers go on.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    });
    const ids = new Set<string>();
    let made = 0;
    const named: string[] = [];
    try {
      for (const hours of [0, -1, 0, 1, 0, 1, -1]) {
        writeFileSync(file, `${hours < 0 ? '' : '+'}${hours}h`);
        const nowMs = Date.now() + hours * HOUR_MS;
        const send = (input: Record<string, unknown>) => sendOne(arena, api.url, input);
        // Half an hour too early for a clock that is right, and for none that is an hour ahead.
        const soon = { occurredAt: new Date(Date.now() + HOUR_MS / 2).toISOString() };
        await waitFor('the API to follow its clock', async () => (await send(soon)).isAccepted === hours > 0);
        const answers = await Promise.all(
          Array.from({ length: arena.isQuick ? EACH.quick : EACH.full }, () => send({})),
        );
        for (const { id } of answers) {
          made += 1;
          if (id !== null) ids.add(id);
        }
        const early = await send({ occurredAt: new Date(nowMs + 6 * 60_000).toISOString() });
        const late = await send({ occurredAt: new Date(nowMs - MAX_AGE_MS - 60_000).toISOString() });
        const just = await send({ occurredAt: new Date(nowMs - MAX_AGE_MS + HOUR_MS / 2).toISOString() });
        // A client's own clock is right: for an API that is an hour behind it is ahead.
        const own = await send({ id: newInteractionId() });
        const wanted = ['TIME_IN_FUTURE', 'TIME_TOO_OLD', null, hours < 0 ? 'TIME_IN_FUTURE' : null];
        for (const [index, { code }] of [early, late, just, own].entries()) {
          if (code !== wanted[index]) named.push(`at ${hours} h: ${code} in place of ${wanted[index]}`);
        }
      }
    } finally {
      await api[Symbol.asyncDispose]();
    }
    arena.holds('ids stay unique', ids.size === made, `${ids.size} of ${made}`);
    arena.holds('too early and too late refused by name', named.length === 0, named[0] ?? '28 of 28');
    await arena.recovers();
  },
};

interface Answered {
  readonly isAccepted: boolean;
  readonly id: string | null;
  readonly code: string | null;
}

async function sendOne(
  { items, ledger, between }: Arena,
  url: string,
  input: Record<string, unknown>,
): Promise<Answered> {
  const [viewer, item] = [`person-${between(0, 40)}`, items[between(0, items.length)] ?? ''];
  const variables = { input: { itemId: item, type: 'VIEW', ...input } };
  const answer = await ask(url, { query: ONE, variables }, { headers: { 'x-device-id': viewer } });
  const payload = at(answer.data, 'recordInteraction');
  const id = at(at(payload, 'interaction'), 'id');
  const code = at(at(at(payload, 'userErrors'), '0'), 'code');
  if (typeof id !== 'string')
    return { isAccepted: false, id: null, code: typeof code === 'string' ? code : answer.text };
  ledger.sent({ id, viewer, item, type: 'VIEW', retraction: false });
  ledger.accepted(id);
  return { isAccepted: true, id, code: null };
}

/** Where Debian, its kin and Homebrew put it. */
function libfaketime(): string {
  const folders = ['/usr/lib', '/usr/lib64', '/usr/local/lib', '/opt/homebrew/lib'].filter((folder) =>
    existsSync(folder),
  );
  const candidates = folders.flatMap((folder) => [
    join(folder, 'faketime/libfaketime.so.1'),
    ...readdirSync(folder).map((name) => join(folder, name, 'faketime/libfaketime.so.1')),
  ]);
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined) throw new Error('libfaketime is not where it is looked for');
  return found;
}
