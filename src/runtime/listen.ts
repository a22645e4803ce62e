import type { Server } from 'node:http';

export interface Listening {
  readonly host: string;
  /** The one the system chose, when 0 was asked for. */
  readonly port: number;
}

/** Rejects with the system's error, such as EADDRINUSE. */
export function listen(server: Server, address: Listening): Promise<Listening> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, () => {
      server.off('error', reject);
      const bound = server.address();
      resolve({ host: address.host, port: bound !== null && typeof bound === 'object' ? bound.port : address.port });
    });
  });
}
