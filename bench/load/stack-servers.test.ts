import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { packageRoot } from '../../src/runtime/package-root.ts';
import { PEER_PGBOUNCER, PEER_POSTGRES } from './stack-servers.ts';

const file = (path: string): string => readFileSync(join(packageRoot(), path), 'utf8');

/** `name = value` and Redis' `name value`. */
function valueOf(config: string, name: string): string {
  return new RegExp(`^${name}(?: *= *| +)(.+)$`, 'm').exec(config)?.[1] ?? 'default';
}

it("the page on the guide's stack tells what its servers and ours are set to", () => {
  const rows = [...file('bench/peers/django/README.md').matchAll(/^\| `(\w+)` \| (\S+) \| (\S+) \|$/gm)];
  const told = rows.map(([, name = '', ours, guides]) => ({ name, ours, guides }));
  const ours = ['postgres/postgresql.conf', 'pgbouncer/pgbouncer.ini', 'redis/redis.conf']
    .map((path) => file(`deploy/${path}`))
    .join('\n');
  // What startPgbouncer sets, and this adds.
  const guides = [PEER_POSTGRES, file('test/servers/start-pgbouncer.ts').replaceAll(/^ *'|',$/gm, ''), PEER_PGBOUNCER];
  const settings = guides.toReversed().join('\n');
  expect(told).toEqual(told.map(({ name }) => ({ name, ours: valueOf(ours, name), guides: valueOf(settings, name) })));
  const names = told.map(({ name }) => name);
  const set = `${PEER_POSTGRES}\n${PEER_PGBOUNCER}`.split('\n').map((line) => line.split(' ')[0]);
  expect(names).toEqual(expect.arrayContaining(set));
});
