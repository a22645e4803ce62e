import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { requireProgram } from './programs.ts';
import { createServerProcess, type ServerControls } from './server-process.ts';
import { testDirectory } from './test-run.ts';

export type NginxServer = ServerControls & { url: string; port: number };

export type NginxOptions = {
  /**
   * A whole nginx.conf that listens on 127.0.0.1:`port`. `daemon`, `pid`, the error log and, when root, the user are set
   * here and must not be in it; an access log and folders for temporary files are added to its `http` block.
   */
  config: (at: { port: number; directory: string }) => string;
};

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

export async function startNginx({ config }: NginxOptions): Promise<NginxServer> {
  const directory = testDirectory('nginx');
  const port = await freePort();
  const temporary = TEMPORARY.map((name) => `${name}_temp_path ${join(directory, name)};`).join(' ');
  const configFile = join(directory, 'nginx.conf');
  const files = `access_log ${join(directory, 'access.log')}; ${temporary}`;
  mkdirSync(join(directory, 'logs'));
  writeFileSync(configFile, config({ port, directory }).replace(/\bhttp\s*\{/, `http { ${files}`));
  const asRoot = process.getuid?.() === 0 ? ' user root;' : '';
  const server = createServerProcess({
    name: 'nginx',
    directory,
    command: requireProgram('nginx'),
    arguments: [
      '-p',
      directory,
      '-c',
      configFile,
      '-e',
      'stderr',
      '-g',
      `daemon off; pid ${join(directory, 'nginx.pid')}; error_log stderr;${asRoot}`,
    ],
    isReady: () => accepts(port),
    restartSignal: 'SIGQUIT',
  });
  await server.start().catch(async (error: unknown) => {
    await server.stop();
    throw error;
  });
  return { ...server, url: `http://127.0.0.1:${port}`, port };
}

/** A connection, not a request: what a path answers is the config's own business. */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
    socket.once('connect', () => socket.end());
  });
}
