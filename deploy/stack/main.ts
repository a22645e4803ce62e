import { join } from 'node:path';
import { packageRoot } from '../../src/runtime/package-root.ts';
import { provision } from '../../test/servers/provision.ts';
import { stackBanner } from './stack-banner.ts';
import { startStack } from './start-stack.ts';

/** Addresses that can be learnt by heart; another network when they are taken. */
const NETWORK = '127.10.0';
const BOOKS = join(packageRoot(), 'src/demo/books.csv');

/** `npm run stack`: the whole deployment on this machine, with the demo catalogue, until Ctrl-C. */
async function main(): Promise<void> {
  const ending = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve());
  });
  await provision();
  const starting = startStack({ network: NETWORK, onProgress: (text) => console.log(text) });
  const stack = await Promise.race([starting, ending]);
  if (stack === undefined) {
    // Half of it may be up: what is under way is waited for, then all of it ends.
    await (await starting).stop();
    return;
  }
  try {
    const imported = await stack.run('import', ['--items', BOOKS]);
    if (imported.exitCode !== 0) throw new Error(`the demo catalogue was not imported: ${imported.stderr}`);
    console.log(await stackBanner(stack));
    await ending;
    console.log('ending everything ...');
  } finally {
    await stack.stop();
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
