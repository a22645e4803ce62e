import type { Interaction } from '../../interactions/interaction.ts';
import { decodeMessage, messageText } from '../../interactions/message.ts';
import type { PendingWrites } from '../../interactions/pending-writes.ts';
import { UnavailableError } from '../../runtime/errors.ts';
import type { RedisConnection } from './redis-connection.ts';

const KEEP_SECONDS = 3_600;
const MAX_PER_VIEWER = 1_000;
/** Longer than the cache's: a miss there is soon mended, a lost preview is not. */
const DEADLINE_MS = 100;
/** Redis runs a script to its end: this many take about 2 ms. */
const MAX_PER_SCRIPT = 500;
/** So many calls are not held until the end of the turn: Redis works while the turn goes on. */
const SEND_AT_CALLS = 16;

/** What another viewer sent under the same id stays. */
const FORGET = `
local function forget(viewer, id)
  local message = redis.call('GET', 'groundswell:pending:' .. id)
  if message and string.find(message, viewer, 1, true) then redis.call('DEL', 'groundswell:pending:' .. id) end
  redis.call('ZREM', 'groundswell:pending-of:' .. viewer, id)
end`;

/**
 * ARGV: viewer, id (both UUIDs) and message of each, as one text. The message is kept under its id, the first one wins; the viewer's set holds ids,
 * which sort by time, so that the newest are at its end. Older ones are forgotten for one id in sixteen, by the last digit of the
 * id: reads take no more than its end anyway. Gives the places in ARGV, from 1, of those whose id was there before.
 */
const ADD = `${FORGET}
local known = {}
for place, write in ipairs(ARGV) do
  local id = string.sub(write, 37, 72)
  if not redis.call('SET', 'groundswell:pending:' .. id, string.sub(write, 73), 'NX', 'EX', ${KEEP_SECONDS}) then
    table.insert(known, place)
  end
  local viewer = string.sub(write, 1, 36)
  local set = 'groundswell:pending-of:' .. viewer
  redis.call('ZADD', set, 0, id)
  redis.call('EXPIRE', set, ${KEEP_SECONDS})
  if string.sub(id, -1) == '0' then
    for _, old in ipairs(redis.call('ZRANGE', set, 0, ${-MAX_PER_VIEWER - 1})) do forget(viewer, old) end
  end
end
return known`;

/** ARGV: viewer and id of each. */
const REMOVE = `${FORGET}
for i = 1, #ARGV, 2 do forget(ARGV[i], ARGV[i + 1]) end`;

interface Waiting {
  readonly interactions: readonly Interaction[];
  readonly done: (added: readonly Interaction[]) => void;
}

/** Shared by all processes. Every call ends within 100 ms, reads of a viewer within 200. */
export function createRedisPendingWrites(redis: RedisConnection): PendingWrites {
  let waiting: Waiting[] = [];

  async function addAll(batch: readonly Waiting[]): Promise<void> {
    const all = batch.flatMap(({ interactions }) => interactions);
    const scripts: Promise<number[]>[] = [];
    for (let from = 0; from < all.length; from += MAX_PER_SCRIPT) {
      const args = all.slice(from, from + MAX_PER_SCRIPT).map((value) => value.viewer + value.id + messageText(value));
      const script = redis.run((client) => client.eval(ADD, { keys: [], arguments: args }), DEADLINE_MS);
      scripts.push(
        script.then((places) => (Array.isArray(places) ? places.map((place) => from + Number(place) - 1) : [])),
      );
    }
    const results = await Promise.allSettled(scripts);
    const known = new Set(results.flatMap((result) => (result.status === 'fulfilled' ? result.value : [])));
    let start = 0;
    for (const { interactions, done } of batch) {
      const first = start;
      start += interactions.length;
      done(interactions.filter((_, index) => !known.has(first + index)));
    }
  }

  function flush(): void {
    const batch = waiting;
    waiting = [];
    if (batch.length > 0) void addAll(batch);
  }

  async function idsOf(viewer: string, newest: number): Promise<string[]> {
    return redis.run((client) => client.zRange(setOf(viewer), -newest, -1), DEADLINE_MS);
  }

  async function forget(writes: readonly Pick<Interaction, 'viewer' | 'id'>[]): Promise<void> {
    const args = writes.flatMap(({ viewer, id }) => [viewer, id]);
    await redis.run((client) => client.eval(REMOVE, { keys: [], arguments: args }), DEADLINE_MS);
  }

  async function read(ids: readonly string[]): Promise<Interaction[]> {
    if (ids.length === 0) return [];
    const messages = await redis.run((client) => client.mGet(ids.map(keyOf)), DEADLINE_MS);
    return messages.flatMap((message) => decoded(message) ?? []);
  }

  return {
    add(interactions) {
      return new Promise((done) => {
        waiting.push({ interactions, done });
        if (waiting.length === SEND_AT_CALLS) flush();
        if (waiting.length === 1) setImmediate(flush);
      });
    },
    async ofViewer(viewer) {
      try {
        const interactions = await read(await idsOf(viewer, MAX_PER_VIEWER));
        // Another viewer's, when they reused its id.
        return interactions.filter((interaction) => interaction.viewer === viewer);
      } catch {
        return [];
      }
    },
    async find(id) {
      return (await read([id]).catch(() => []))[0] ?? null;
    },
    async remove(interactions) {
      if (interactions.length === 0) return;
      await forget(interactions).catch(() => undefined);
    },
    async erase(viewer) {
      const next = (): Promise<string[]> => idsOf(viewer, MAX_PER_SCRIPT);
      try {
        for (let ids = await next(); ids.length > 0; ids = await next())
          await forget(ids.map((id) => ({ viewer, id })));
      } catch (error) {
        throw new UnavailableError('Redis is away', error);
      }
    },
  };
}

function keyOf(id: string): string {
  return `groundswell:pending:${id}`;
}

function setOf(viewer: string): string {
  return `groundswell:pending-of:${viewer}`;
}

function decoded(message: string | null): Interaction | undefined {
  if (message === null) return undefined;
  const result = decodeMessage(Buffer.from(message));
  return result.ok ? result.interaction : undefined;
}
