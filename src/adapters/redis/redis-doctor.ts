import { createClient } from '@keyv/redis';
import type { Finding } from '../../runtime/finding.ts';
import { isBelow } from '../version-floor.ts';

const FLOOR = [6, 2] as const;
const DEADLINE_MS = 3_000;

/** Never rejects. */
export async function examineRedis(url: string): Promise<Finding> {
  const part = 'Redis (REDIS_URL)';
  const client = createClient({ url, socket: { connectTimeout: DEADLINE_MS, reconnectStrategy: false } });
  client.on('error', () => undefined);
  // A frozen server accepts the connection and says nothing.
  const timer = setTimeout(() => client.destroy(), DEADLINE_MS);
  try {
    await client.connect();
    const startedMs = performance.now();
    const info = fieldsOf(await client.info());
    const tookMs = Math.round(performance.now() - startedMs);
    const version = info.get('redis_version') ?? '0';
    const problems = [
      ...(isBelow(version, FLOOR) ? ['older than 6.2: upgrade Redis'] : []),
      ...(info.get('role') === 'slave' ? ['it is a replica and takes no writes: point REDIS_URL at the master'] : []),
      ...(info.get('loading') === '1' ? ['it is still loading its data: wait'] : []),
      ...(info.get('maxmemory') !== '0' && info.get('maxmemory_policy') === 'noeviction'
        ? ['once full it refuses writes: set maxmemory-policy to allkeys-lru']
        : []),
    ];
    const facts = [`Redis ${version}`, `answers in ${tookMs} ms`, `${info.get('used_memory_human') ?? '?'} used`];
    return { part, ok: problems.length === 0, text: [...facts, ...problems].join('; ') };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { part, ok: false, text: `cannot be reached: ${reason}; check the URL, the network and the password` };
  } finally {
    clearTimeout(timer);
    if (client.isOpen) client.destroy();
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
