import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/runtime/package-root.ts';
import { requireProgram } from '../../test/servers/programs.ts';
import { testDirectory } from '../../test/servers/test-run.ts';
import { accepts, startMember, type Placement, type StartedMember } from './member.ts';
import { change, copySettings } from './settings.ts';

export const NGINX_PORT = 8080;
export const NGINX_STATUS_PORT = 8081;

export interface NginxOptions extends Placement {
  /** No limits for clients on this machine: for loads. */
  readonly isExempt: boolean;
}

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

export function startNginx({ name, address, hosts, isExempt }: NginxOptions): Promise<StartedMember> {
  const directory = testDirectory(name);
  copySettings('nginx', directory, hosts);
  mkdirSync(join(directory, 'logs'));
  change(join(directory, 'host/listeners.conf'), {
    'listen 8080 ': `listen ${address}:${NGINX_PORT} `,
    'listen 8081;': `listen ${address}:${NGINX_STATUS_PORT};`,
  });
  const temporary = TEMPORARY.map((kind) => `${kind}_temp_path ${join(directory, kind)};`).join('\n');
  change(join(directory, 'host/paths.conf'), {
    'root /usr/share/nginx/html;': `root ${join(packageRoot(), 'examples/web')};\n${temporary}`,
    '/var/cache/nginx/answers': join(directory, 'answers'),
    '/dev/stdout': join(directory, 'requests.log'),
  });
  if (isExempt) change(join(directory, 'host/clients.conf'), { 'default 0;': 'default 0; 127.0.0.0/8 1;' });
  const asRoot = process.getuid?.() === 0 ? ' user root;' : '';
  const globals = `daemon off; pid ${join(directory, 'nginx.pid')}; error_log stderr;${asRoot}`;
  return startMember({
    name,
    address,
    directory,
    command: requireProgram('nginx'),
    arguments: ['-p', directory, '-c', join(directory, 'nginx.conf'), '-e', 'stderr', '-g', globals],
    isReady: () => accepts(address, NGINX_PORT),
    restartSignal: 'SIGQUIT',
  });
}
