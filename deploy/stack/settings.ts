import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/runtime/package-root.ts';

/** Addresses by the name that a host has in deploy/compose.yaml; several where several containers share it. */
export type Hosts = Readonly<Record<string, readonly string[]>>;

/**
 * Copies a folder of deploy/ into `directory`. Its files stay as they are, but for the names of hosts: there is no
 * network with a name service here, so `name:port` and `host=name` get addresses.
 */
export function copySettings(part: string, directory: string, hosts: Hosts): void {
  cpSync(join(packageRoot(), 'deploy', part), directory, { recursive: true });
  for (const file of filesIn(directory)) {
    const text = readFileSync(file, 'utf8');
    const changed = withAddresses(text, hosts);
    if (changed !== text) writeFileSync(file, changed);
  }
}

/** Replaces what differs from place to place; each must be there once, so that none is missed after a change. */
export function change(file: string, changes: Readonly<Record<string, string>>): void {
  let text = readFileSync(file, 'utf8');
  for (const [from, to] of Object.entries(changes)) {
    if (text.split(from).length !== 2) throw new Error(`${file} must have one \`${from}\``);
    text = text.replace(from, () => to);
  }
  writeFileSync(file, text);
}

function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((file) => statSync(file).isFile());
}

/** A line that names a host with several addresses is there once for each. */
function withAddresses(text: string, hosts: Hosts): string {
  return Object.entries(hosts).reduce((before, [name, addresses]) => {
    const mention = new RegExp(`(?<=^|[\\s'"/@,])${name}(?=:\\d)|(?<=\\bhost=)${name}\\b`, 'g');
    return before
      .split('\n')
      .flatMap((line) =>
        !line.trimStart().startsWith('#') && mention.test(line)
          ? addresses.map((address) => line.replace(mention, address))
          : [line],
      )
      .join('\n');
  }, text);
}
