import { GraphQLError, type GraphQLObjectType, isObjectType } from 'graphql';
import type { ExecutionContext } from 'graphql/execution/execute.js';
import { inspect } from 'graphql/jsutils/inspect.js';
import type { PlannedField, Shape } from './plan.ts';

/**
 * The type that a resolver of types named.
 * @throws what graphql-js throws for a name that is none, or that of a type which can't stand here
 */
export function runtimeType(
  { schema }: ExecutionContext,
  { nodes, parentType, definition }: PlannedField,
  { type: abstract }: Shape & { kind: 'abstract' },
  name: unknown,
  value: unknown,
): GraphQLObjectType {
  const at = `for field "${parentType.name}.${definition.name}"`;
  if (name == null) {
    throw new GraphQLError(
      `Abstract type "${abstract.name}" must resolve to an Object type at runtime ${at}. Either the "${abstract.name}" type should provide a "resolveType" function or each possible type should provide an "isTypeOf" function.`,
      { nodes },
    );
  }
  if (isObjectType(name)) {
    throw new GraphQLError(
      'Support for returning GraphQLObjectType from resolveType was removed in graphql-js@16.0.0 please return type name instead.',
    );
  }
  if (typeof name !== 'string') {
    throw new GraphQLError(
      `Abstract type "${abstract.name}" must resolve to an Object type at runtime ${at} with ` +
        `value ${inspect(value)}, received "${inspect(name)}".`,
    );
  }
  const type = schema.getType(name);
  const refuse = (why: string) => new GraphQLError(why, { nodes });
  if (type == null) {
    throw refuse(
      `Abstract type "${abstract.name}" was resolved to a type "${name}" that does not exist inside the schema.`,
    );
  }
  if (!isObjectType(type)) {
    throw refuse(`Abstract type "${abstract.name}" was resolved to a non-object type "${name}".`);
  }
  if (!schema.isSubType(abstract, type)) {
    throw refuse(`Runtime Object type "${type.name}" is not a possible type for "${abstract.name}".`);
  }
  return type;
}
