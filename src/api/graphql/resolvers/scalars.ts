import { GraphQLScalarType, GraphQLString } from 'graphql';
import { GraphQLDateTime, GraphQLJSON } from 'graphql-scalars';

/** Inputs are checked as graphql-scalars does; what we give out is right already and goes as text. */
export const scalars = {
  DateTime: new GraphQLScalarType({
    ...GraphQLDateTime.toConfig(),
    serialize: (value) => (value instanceof Date ? value.toISOString() : GraphQLDateTime.serialize(value)),
  }),
  JSON: GraphQLJSON,
  // Any text passes here: a bad URL is the fault of its one item, and named there.
  URL: new GraphQLScalarType({
    ...GraphQLString.toConfig(),
    name: 'URL',
    description: 'An absolute URL, http or https.',
  }),
};
