import { cpSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/runtime/package-root.ts';
import { freePort } from '../servers/free-port.ts';
import { startNginx, type NginxServer } from '../servers/start-nginx.ts';

export interface Proxy extends NginxServer {
  /** Where `listeners-tls.conf` listens with TLS; without a certificate nothing does. */
  readonly tlsUrl: string;
  readonly statusUrl: string;
  /** Parsed lines of its access log. */
  log(): Record<string, unknown>[];
  /** Other APIs from here on, as after a change of the configuration: without a pause. */
  setApis(apiUrls: readonly string[]): void;
}

export interface ProxyOptions {
  /** Listens with TLS, and plainly only to redirect. */
  readonly certificate?: { readonly certificateFile: string; readonly keyFile: string };
  /** Clients on this machine have no limits, as a load generator of the house has none. */
  readonly isExempt?: boolean;
}

/** nginx as `deploy/nginx` has it, but for what its folder `host/` is there to say. */
export async function startProxy(apiUrls: readonly string[], options: ProxyOptions = {}): Promise<Proxy> {
  const [tlsPort, statusPort] = [await freePort(), await freePort()];
  let logFile = '';
  let upstreamFile = '';
  const nginx = await startNginx({
    config({ port, directory }) {
      logFile = join(directory, 'requests.log');
      cpSync(join(packageRoot(), 'deploy/nginx'), directory, { recursive: true });
      const change = (file: string, changes: Readonly<Record<string, string>>): void => {
        const path = join(directory, 'host', file);
        writeFileSync(path, replaced(path, changes));
      };
      const { certificate } = options;
      if (certificate !== undefined) {
        renameSync(join(directory, 'host/listeners-tls.conf'), join(directory, 'host/listeners.conf'));
        change('listeners.conf', {
          'listen 8443 ssl': `listen 127.0.0.1:${tlsPort} ssl`,
          '/etc/nginx/certificate/fullchain.pem': certificate.certificateFile,
          '/etc/nginx/certificate/privkey.pem': certificate.keyFile,
        });
      }
      change('listeners.conf', {
        'listen 8080 ': `listen 127.0.0.1:${port} `,
        'listen 8081;': `listen 127.0.0.1:${statusPort};`,
      });
      upstreamFile = join(directory, 'host/upstream.conf');
      writeFileSync(upstreamFile, withApis(apiUrls));
      change('paths.conf', {
        '/usr/share/nginx/html': join(packageRoot(), 'examples/web'),
        '/var/cache/nginx/answers': join(directory, 'answers'),
        '/dev/stdout': logFile,
      });
      if (options.isExempt === true) change('clients.conf', { 'default 0;': 'default 0; 127.0.0.1 1;' });
      return readFileSync(join(directory, 'nginx.conf'), 'utf8');
    },
  });
  return {
    ...nginx,
    tlsUrl: `https://127.0.0.1:${tlsPort}`,
    statusUrl: `http://127.0.0.1:${statusPort}/stub_status`,
    log: () =>
      readFileSync(logFile, 'utf8')
        .split('\n')
        .flatMap((line) => (line === '' ? [] : [JSON.parse(line)])),
    setApis(urls) {
      writeFileSync(upstreamFile, withApis(urls));
      const [master] = nginx.pids();
      if (master !== undefined) process.kill(master, 'SIGHUP');
    },
  };
}

function withApis(apiUrls: readonly string[]): string {
  const shipped = join(packageRoot(), 'deploy/nginx/host/upstream.conf');
  const [line = ''] = /^server .*;$/m.exec(readFileSync(shipped, 'utf8')) ?? [];
  return replaced(shipped, { [line]: apiUrls.map((url) => line.replace('api:4000', new URL(url).host)).join('\n') });
}

function replaced(file: string, changes: Readonly<Record<string, string>>): string {
  let text = readFileSync(file, 'utf8');
  for (const [from, to] of Object.entries(changes)) {
    if (from === '' || text.split(from).length !== 2) throw new Error(`${file} must have one \`${from}\``);
    text = text.replace(from, () => to);
  }
  return text;
}
