import { spawn } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { missingParts, PARTS, type Part } from './programs.ts';

/** Debian's own switch against starting a service while its package is installed. */
const POLICY_FILE = '/usr/sbin/policy-rc.d';

export type Machine = {
  missing: () => Part[];
  canInstall: boolean;
  /** Runs a program to its end; rejects on a non-zero exit. */
  run: (command: string, args: readonly string[]) => Promise<void>;
  policyFile: string;
};

/** Makes every real part available, or throws saying what to install. Nothing is skipped. */
export async function provision(machine: Machine = thisMachine()): Promise<void> {
  const missing = machine.missing();
  if (missing.length === 0) return;
  if (!machine.canInstall) throw new Error(whatToInstall(missing));
  await install(packagesOf(missing), machine);
  const stillMissing = machine.missing();
  if (stillMissing.length > 0) throw new Error(whatToInstall(stillMissing));
}

/** Debian packages, by this process; `canInstallPackages` says whether it may. */
export function installPackages(packages: readonly string[]): Promise<void> {
  return install(packages, thisMachine());
}

export function canInstallPackages(): boolean {
  return thisMachine().canInstall;
}

async function install(packages: readonly string[], { run, policyFile }: Machine): Promise<void> {
  // 101: "action forbidden by policy". The tests start servers of their own; Debian's must not run beside them.
  const ownsPolicy = !existsSync(policyFile);
  if (ownsPolicy) writeFileSync(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const lock = ['-o', 'DPkg::Lock::Timeout=600', '-o', 'Acquire::Retries=3'];
  try {
    await run('apt-get', [...lock, 'update']);
    await run('apt-get', [...lock, 'install', '-y', '--no-install-recommends', ...packages]);
  } finally {
    if (ownsPolicy) rmSync(policyFile, { force: true });
  }
}

function packagesOf(parts: readonly Part[]): string[] {
  return [...new Set(parts.map((part) => PARTS[part].package))];
}

function whatToInstall(parts: readonly Part[]): string {
  return [
    'The tests run against real servers, and these are not on this machine:',
    ...parts.map((part) => `  ${PARTS[part].name}: no \`${PARTS[part].program}\` found`),
    'On Debian or Ubuntu, as root:',
    `  apt-get update && apt-get install -y --no-install-recommends ${packagesOf(parts).join(' ')}`,
    'As root there, `npm test` does this itself. Elsewhere install the same programs, or run the tests in a container',
    'that has them (any Debian image with Node.js: started as root, it needs nothing else).',
  ].join('\n');
}

function thisMachine(): Machine {
  return {
    missing: () => missingParts(),
    canInstall: process.getuid?.() === 0 && existsSync('/etc/debian_version') && existsSync('/usr/bin/apt-get'),
    run: runVisibly,
    policyFile: POLICY_FILE,
  };
}

function runVisibly(command: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${command} ${args.join(' ')} ended with ${code ?? signal}`));
    });
  });
}
