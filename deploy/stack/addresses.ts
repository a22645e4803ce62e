import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

export interface Addresses {
  /** `127.x.y`: a network on this machine alone, in which every host of the stack has an address and so every standard port. */
  readonly network: string;
  /** The next address that nobody has. */
  take(): string;
  release(): Promise<void>;
}

/** Where the claim on a network shows while it is in use. */
const CLAIM = { host: 254, port: 4001 };
const ATTEMPTS = 50;

/**
 * A loopback network of one's own, so that stacks side by side do not meet: the `preferred` one if nobody has it, else
 * any. On Linux all of 127.0.0.0/8 is this machine without further ado; elsewhere only 127.0.0.1 is.
 */
export async function claimAddresses(preferred?: string): Promise<Addresses> {
  if (process.platform !== 'linux') throw new Error('the stack needs Linux, where all of 127.0.0.0/8 is this machine');
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    // Away from 127.0.x.y, where distributions put names and resolvers.
    const network =
      attempt === 0 && preferred !== undefined ? preferred : `127.${randomInt(64, 192)}.${randomInt(0, 256)}`;
    const claim = await claimNetwork(network);
    if (claim === null) continue;
    let last = 0;
    return {
      network,
      take: () => `${network}.${(last += 1)}`,
      release: () => new Promise((resolve) => claim.close(() => resolve())),
    };
  }
  throw new Error(`no free loopback network found in ${ATTEMPTS} tries`);
}

async function claimNetwork(network: string): Promise<Server | null> {
  const claim = createServer();
  claim.listen(CLAIM.port, `${network}.${CLAIM.host}`);
  try {
    await once(claim, 'listening');
  } catch {
    return null;
  }
  // It also keeps a process alive that has nothing else to do than to hold its stack.
  return claim;
}
