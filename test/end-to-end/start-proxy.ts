import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/runtime/package-root.ts';
import { startNginx, type NginxServer } from '../servers/start-nginx.ts';

/** nginx as `deploy/nginx` has it, but for the port, the processes behind it, and where the web example lies. */
export function startProxy(apiUrls: readonly string[]): Promise<NginxServer> {
  const folder = join(packageRoot(), 'deploy/nginx');
  const upstream = readFileSync(join(folder, 'upstream.conf'), 'utf8');
  const [line] = /^server .*;$/m.exec(upstream) ?? [];
  if (line === undefined) throw new Error('upstream.conf has no server');
  return startNginx({
    config({ port, directory }) {
      const servers = apiUrls.map((url) => line.replace('127.0.0.1:4000', new URL(url).host));
      writeFileSync(join(directory, 'upstream.conf'), servers.join('\n'));
      return replaced(readFileSync(join(folder, 'nginx.conf'), 'utf8'), {
        'listen 8080;': `listen 127.0.0.1:${port};`,
        'root examples/web;': `root ${join(packageRoot(), 'examples/web')};`,
      });
    },
  });
}

function replaced(config: string, changes: Readonly<Record<string, string>>): string {
  let text = config;
  for (const [from, to] of Object.entries(changes)) {
    if (text.split(from).length !== 2) throw new Error(`nginx.conf must have one \`${from}\``);
    text = text.replace(from, to);
  }
  return text;
}
