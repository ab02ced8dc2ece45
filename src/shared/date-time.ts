import { GraphQLScalarType } from 'graphql';
import { GraphQLDateTime } from 'graphql-scalars';

/** ISO 8601, always UTC. Parsing and printing are graphql-scalars'; the description is ours. */
export const DateTime = new GraphQLScalarType({
  ...GraphQLDateTime.toConfig(),
  name: 'DateTime',
  description: 'A moment: ISO 8601 with a time zone, answered in UTC, e.g. 2026-01-31T09:30:00.000Z.',
  specifiedByURL: undefined,
});
