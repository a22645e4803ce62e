import { GraphQLError } from 'graphql';
import { expect, it } from 'vitest';
import { createLogger } from '../../runtime/logger.ts';
import { createFormatError } from './format-error.ts';

const format = (message: string, extensions: Record<string, unknown>): unknown =>
  createFormatError(createLogger('silent', 'test'), true)({ message, extensions }, new GraphQLError(message));

it('introspection that is off is refused in our own words', () => {
  const answer = format('To enable introspection, pass introspection: true to ApolloServer', {
    code: 'GRAPHQL_VALIDATION_FAILED',
    validationErrorCode: 'INTROSPECTION_DISABLED',
  });
  expect(answer).toEqual({ message: 'Introspection is off here.', extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } });
});

it('in production nothing hints at the schema', () => {
  const message = 'Value "DAYY" does not exist in "PopularityWindow" enum. Did you mean the enum value "DAY" or "X"?';
  expect(format(message, { code: 'BAD_USER_INPUT' })).toEqual({
    message: 'Value "DAYY" does not exist in "PopularityWindow" enum.',
    extensions: { code: 'BAD_USER_INPUT' },
  });
});

it('what clients sent is cut, in time that grows with its length', () => {
  const startedAtMs = performance.now();
  const answer = format(`Expected Name, found String "${'Did you mean '.repeat(80_000)}".`, { code: 'BAD_USER_INPUT' });
  expect(performance.now() - startedAtMs).toBeLessThan(1_000);
  expect(JSON.stringify(answer).length).toBeLessThan(1_000);
});

it('more bad values than are named are the fault of the client', () => {
  const message = 'Too many errors processing variables, error limit reached. Execution aborted.';
  expect(format(message, { code: 'INTERNAL_SERVER_ERROR' })).toEqual({
    message,
    extensions: { code: 'BAD_USER_INPUT' },
  });
});

it('a mutation by GET is METHOD_NOT_ALLOWED', () => {
  const message = 'GET requests only support query operations, not mutation operations';
  expect(format(message, { code: 'BAD_REQUEST' })).toEqual({ message, extensions: { code: 'METHOD_NOT_ALLOWED' } });
  expect(format('another', { code: 'BAD_REQUEST' })).toEqual({
    message: 'another',
    extensions: { code: 'BAD_REQUEST' },
  });
});

it('a fault of our own tells a client nothing', () => {
  expect(
    format('connect ECONNREFUSED 10.0.0.7:5432', { code: 'INTERNAL_SERVER_ERROR', stacktrace: ['at secret.ts'] }),
  ).toEqual({
    message: 'Internal server error',
    extensions: { code: 'INTERNAL_SERVER_ERROR' },
  });
});
