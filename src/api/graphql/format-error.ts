import { unwrapResolverError } from '@apollo/server/errors';
import { GraphQLError, isValueNode, type GraphQLFormattedError } from 'graphql';
import { PublicError, UnavailableError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { traceFieldsOf } from './operation-trace.ts';

export type FormatError = (formatted: GraphQLFormattedError, error: unknown) => GraphQLFormattedError;

const RETRY_AFTER_SECONDS = 1;
/** Longer than any message of ours. */
const MAX_MESSAGE = 500;
/** How graphql-js ends a message that names what it knows. */
const HINT = ' Did you mean ';

/** What clients see of a fault: a code of the contract and a message without internals; the rest goes to the log. */
export function createFormatError(logger: Logger, production: boolean): FormatError {
  return (given, error) => {
    const formatted = { ...given, message: shown(given.message, production) };
    const cause = unwrapResolverError(error);
    if (cause instanceof PublicError) {
      const { code, message, retryAfterSeconds } = cause;
      return { ...formatted, message, extensions: extensionsOf(code, retryAfterSeconds) };
    }
    if (cause instanceof UnavailableError) {
      logger.warn({ error: cause, ...traceFieldsOf(error) }, 'a part that a request needed is away');
      return {
        ...formatted,
        message: 'The service is unavailable for the moment. Try again.',
        extensions: extensionsOf('SERVICE_UNAVAILABLE', RETRY_AFTER_SECONDS),
      };
    }
    const code = formatted.extensions?.['code'];
    const { message } = formatted;
    if (formatted.extensions?.['validationErrorCode'] === 'INTROSPECTION_DISABLED') {
      return { ...formatted, message: 'Introspection is off here.', extensions: { code } };
    }
    if (code === 'BAD_REQUEST' && message.startsWith('GET requests only support query operations')) {
      return { ...formatted, extensions: { code: 'METHOD_NOT_ALLOWED' } };
    }
    if (typeof code === 'string' && code !== 'INTERNAL_SERVER_ERROR') {
      return { ...formatted, extensions: extensionsOf(code, undefined) };
    }
    if (cause instanceof GraphQLError && cause.message.startsWith('Too many errors processing variables')) {
      return { ...formatted, extensions: extensionsOf('BAD_USER_INPUT', undefined) };
    }
    // Such as null in a nullable variable with a default: valid, so graphql-js finds out only when the field is executed.
    if (cause instanceof GraphQLError && cause.nodes?.some(isValueNode) === true) {
      return { ...formatted, extensions: extensionsOf('BAD_USER_INPUT', undefined) };
    }
    logger.error({ error: cause, ...traceFieldsOf(error) }, 'a request failed');
    return {
      ...formatted,
      message: 'Internal server error',
      extensions: extensionsOf('INTERNAL_SERVER_ERROR', undefined),
    };
  };
}

/** graphql-js repeats what clients sent, whatever its length, and Apollo leaves the hints in where variables are read. */
function shown(message: string, production: boolean): string {
  const text = message.slice(0, MAX_MESSAGE);
  const hint = production ? text.lastIndexOf(HINT) : -1;
  return hint < 0 ? text : text.slice(0, hint);
}

function extensionsOf(code: string, retryAfterSeconds: number | undefined): Record<string, unknown> {
  return retryAfterSeconds === undefined ? { code } : { code, retryAfterSeconds };
}
