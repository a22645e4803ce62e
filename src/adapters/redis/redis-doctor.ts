import { createClient } from '@keyv/redis';
import { messageOf } from '../../runtime/errors.ts';
import type { Finding } from '../../runtime/finding.ts';
import type { RedisClient } from './redis-connection.ts';
import { isBelow } from '../version-floor.ts';

const FLOOR = [6, 2] as const;
const DEADLINE_MS = 3_000;
/** Entries expire by Redis's clock, so a difference does no harm; it tells of a machine nobody looks after. */
const MAX_CLOCK_DIFFERENCE_MS = 2_000;
/** One of each kind that there is, and that nobody reads: of the cache, a message that is pending, and a viewer's list of these. */
const KEYS = ['groundswell::doctor', 'groundswell:pending:doctor', 'groundswell:pending-of:doctor'];
/** All that an API does with keys... */
const TRY = `
for _, key in ipairs({ KEYS[1], KEYS[2] }) do
  redis.call('SET', key, '1', 'NX', 'PX', 1000)
  redis.call('GET', key)
  redis.call('MGET', key)
  redis.call('UNLINK', key)
  redis.call('DEL', key)
end
redis.call('ZADD', KEYS[3], 0, '1')
redis.call('ZRANGE', KEYS[3], 0, 1)
redis.call('ZREM', KEYS[3], '1')
redis.call('EXPIRE', KEYS[3], 1)
redis.call('DEL', KEYS[3])`;
/** ...and a worker, which forgets what is recorded. */
const TRY_FORGETTING = `
redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], '1')`;

/** Never rejects. */
export async function examineRedis(url: string): Promise<Finding> {
  const part = 'Redis (REDIS_URL)';
  const client = createClient({ url, socket: { connectTimeout: DEADLINE_MS, reconnectStrategy: false } });
  client.on('error', () => undefined);
  // A frozen server accepts the connection and says nothing.
  const timer = setTimeout(() => client.destroy(), DEADLINE_MS);
  try {
    await client.connect();
    const sentMs = Date.now();
    const [seconds = '0', microseconds = '0'] = await client.sendCommand<string[]>(['TIME']);
    const answeredMs = Date.now();
    const nowMs = Number(seconds) * 1_000 + Number(microseconds) / 1_000;
    const differenceMs = Math.round(nowMs - (sentMs + answeredMs) / 2);
    const info = fieldsOf(await client.info());
    const version = info.get('redis_version') ?? '0';
    const rights = await examineRights(client);
    const problems = [
      ...rights.problems,
      ...(Math.abs(differenceMs) > MAX_CLOCK_DIFFERENCE_MS
        ? [`its clock differs from ours by ${differenceMs} ms: synchronize both (NTP)`]
        : []),
      ...(isBelow(version, FLOOR) ? ['older than 6.2: upgrade Redis'] : []),
      ...(info.get('role') === 'slave' ? ['it is a replica and takes no writes: point REDIS_URL at the master'] : []),
      ...(info.get('loading') === '1' ? ['it is still loading its data: wait'] : []),
      ...(info.get('maxmemory') !== '0' && info.get('maxmemory_policy') === 'noeviction'
        ? ['once full it refuses writes: set maxmemory-policy to allkeys-lru']
        : []),
    ];
    const facts = [
      `Redis ${version}`,
      `answers in ${answeredMs - sentMs} ms`,
      `clock ${Math.abs(differenceMs)} ms ${differenceMs < 0 ? 'behind' : 'ahead of'} ours`,
      `${info.get('used_memory_human') ?? '?'} used`,
      ...rights.facts,
    ];
    return { part, ok: problems.length === 0, text: [...facts, ...problems].join('; ') };
  } catch (error) {
    return {
      part,
      ok: false,
      text: `cannot be reached: ${messageOf(error)}; check the URL, the network and the password`,
    };
  } finally {
    clearTimeout(timer);
    if (client.isOpen) client.destroy();
  }
}

async function examineRights(client: RedisClient): Promise<{ facts: string[]; problems: string[] }> {
  const fault = await faultOf(client, TRY, KEYS);
  if (fault === null || /READONLY|LOADING|OOM/.test(fault)) return { facts: [], problems: [] };
  if ((await faultOf(client, TRY_FORGETTING, KEYS.slice(1))) === null) {
    return { facts: ['the user may forget what is recorded: right for a worker, too little for an API'], problems: [] };
  }
  const advice = 'ACL SETUSER … ~groundswell:* +@read +@write +@scripting +info +time';
  return { facts: [], problems: [`the user may not do all that is needed (${fault}): ${advice}`] };
}

async function faultOf(client: RedisClient, script: string, keys: string[]): Promise<string | null> {
  try {
    await client.eval(script, { keys, arguments: [] });
    return null;
  } catch (error) {
    return messageOf(error).replace(/ script: .*/s, '');
  }
}

function fieldsOf(info: string): Map<string, string> {
  return new Map(
    info.split('\r\n').flatMap((line) => {
      const colon = line.indexOf(':');
      return colon < 1 ? [] : [[line.slice(0, colon), line.slice(colon + 1)] as const];
    }),
  );
}
