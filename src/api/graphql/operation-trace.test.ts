import { ApolloServer } from '@apollo/server';
import { expect, it } from 'vitest';
import type { Span, SpanAttributes } from '../../runtime/tracing.ts';
import type { ApiContext } from './context.ts';
import { createOperationTrace, traceFieldsOf } from './operation-trace.ts';

const fields = { trace_id: 'a'.repeat(32), span_id: '1'.repeat(16) };

async function traced(query: string) {
  let name = '';
  const attributes: Record<string, unknown> = {};
  const errors: unknown[] = [];
  const span: Span = {
    traceparent: '',
    fields,
    rename: (given) => void (name = given),
    set: (given: SpanAttributes) => void Object.assign(attributes, given),
    fail: () => undefined,
    child: (_kind, _name, _attributes, work) => work(span),
    within: (work) => work(),
  };
  const trace = createOperationTrace(() => new Set(['Listed']));
  const server = new ApolloServer<ApiContext>({
    typeDefs: 'type Query { hello: String broken: String }',
    resolvers: { Query: { hello: () => 'world', broken: () => Promise.reject(new Error('broken')) } },
    plugins: [
      {
        requestDidStart: async () => ({
          didEncounterErrors: async ({ errors }) => trace.errors(span, errors),
          willSendResponse: async (answered) => trace.answered(span, answered),
        }),
      },
    ],
    formatError: (formatted, error) => {
      errors.push(traceFieldsOf(error));
      return formatted;
    },
  });
  await server.executeOperation({ query });
  await server.stop();
  return { name, attributes, errors };
}

it.each([
  ['query Listed { hello }', 'query Listed'],
  ['query PopularItems { hello }', 'query PopularItems'],
  ['query Anything { hello }', 'query'],
  ['{ hello }', 'query'],
])('%s is named %s', async (query, name) => {
  expect((await traced(query)).name).toBe(name);
});

it('an error is logged with the trace of its request', async () => {
  const { errors, attributes } = await traced('query Listed { broken }');
  expect(errors).toEqual([fields]);
  expect(attributes).toMatchObject({ 'groundswell.error.code': 'INTERNAL_SERVER_ERROR' });
  expect(traceFieldsOf(new Error('another'))).toBeUndefined();
});
