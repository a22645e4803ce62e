import { provision } from '../../test/servers/provision.ts';
import { importDemoBooks } from './import-demo-books.ts';
import { stackBanner } from './stack-banner.ts';
import { startStack } from './start-stack.ts';

/** Addresses that can be learnt by heart; another network when they are taken. */
const NETWORK = '127.10.0';

/** `npm run stack`: the whole deployment on this machine, with the demo catalogue, until Ctrl-C. */
async function main(): Promise<void> {
  // Again and again: one Ctrl-C comes twice, from the terminal and from npm.
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
    await importDemoBooks(stack);
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
