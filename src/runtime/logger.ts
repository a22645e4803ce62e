import { pino, stdSerializers, type Logger } from 'pino';
import { withoutPasswords } from './redact.ts';

export type { Logger } from 'pino';

/** JSON lines on stdout. `error` means that somebody must act. `fields` gives what a line says of where it was written. */
export function createLogger(
  level: string,
  name: string,
  fields?: () => object,
  destination?: { write(line: string): void },
): Logger {
  return pino(
    {
      name,
      level,
      ...(fields === undefined ? {} : { mixin: fields }),
      serializers: { error: stdSerializers.err },
      // A URL with a password in it may come in an error's text.
      hooks: {
        streamWrite: withoutPasswords,
      },
    },
    destination,
  );
}
