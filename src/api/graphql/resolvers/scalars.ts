import { GraphQLScalarType } from 'graphql';
import { GraphQLDateTime, GraphQLJSON, GraphQLURL } from 'graphql-scalars';

/** Inputs are checked as graphql-scalars does; what we give out is right already and goes as text. */
export const scalars = {
  DateTime: new GraphQLScalarType({
    ...GraphQLDateTime.toConfig(),
    serialize: (value) => (value instanceof Date ? value.toISOString() : GraphQLDateTime.serialize(value)),
  }),
  JSON: GraphQLJSON,
  URL: new GraphQLScalarType({ ...GraphQLURL.toConfig(), serialize: String }),
};
