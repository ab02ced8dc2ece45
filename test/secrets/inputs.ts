import {
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';

/*
 * Every input of every operation, out of the schema: an input that is new is tested without anybody thinking of it.
 */

/** A place where a caller may write: an argument, or a field of an input, however deep. */
export interface Leaf {
  /** The operation and the names down to the place, e.g. createTenant.input.displayName. */
  path: string;
  kind: 'query' | 'mutation';
  operation: string;
  names: string[];
  type: GraphQLInputType;
}

export function leavesOf(schema: GraphQLSchema): Leaf[] {
  const roots = [
    ['query', schema.getQueryType()],
    ['mutation', schema.getMutationType()],
  ] as const;
  return roots.flatMap(([kind, root]) =>
    Object.values(root?.getFields() ?? {}).flatMap(({ name: operation, args }) =>
      args.flatMap((arg) =>
        below(arg, []).map(({ names, type }) => ({
          path: [operation, ...names].join('.'),
          kind,
          operation,
          names,
          type,
        })),
      ),
    ),
  );
}

function below(
  { name, type }: GraphQLArgument | GraphQLInputField,
  before: string[],
): Pick<Leaf, 'names' | 'type'>[] {
  const names = [...before, name];
  const named = getNamedType(type);
  return isInputObjectType(named)
    ? Object.values(named.getFields()).flatMap((field) => below(field, names))
    : [{ names, type }];
}

/** A value that fits, or undefined where there need be none. @param name of the argument or field */
export type Good = (operation: string, name: string) => unknown;

/**
 * An operation with good values everywhere and one value of the caller's in one place.
 * @returns its document, which asks for all that it answers, and its variables
 */
export function operationWith(schema: GraphQLSchema, leaf: Leaf, value: unknown, good: Good) {
  const { kind, operation, names } = leaf;
  const root = kind === 'query' ? schema.getQueryType() : schema.getMutationType();
  const field = root?.getFields()[operation];
  if (field === undefined) throw new Error(`There is no ${operation}.`);
  const given = (of: readonly (GraphQLArgument | GraphQLInputField)[], at: readonly string[]) =>
    Object.fromEntries(
      of.flatMap(({ name, type }): [string, unknown][] => {
        const made = madeFor(type, name, at[0] === name ? at.slice(1) : null);
        return made === undefined ? [] : [[name, made]];
      }),
    );
  /** @param at the rest of the way to the place of the value, null beside it */
  const madeFor = (type: GraphQLInputType, name: string, at: readonly string[] | null): unknown => {
    const inner = getNullableType(type);
    const named = getNamedType(inner);
    if (isInputObjectType(named)) {
      return at === null && !isNonNullType(type)
        ? undefined
        : given(Object.values(named.getFields()), at ?? []);
    }
    const listed = isListType(inner);
    if (at !== null) return listed ? [value] : value;
    const found = good(operation, name);
    if (found !== undefined) return listed ? [found] : found;
    if (!isNonNullType(type)) return undefined;
    const plain = isEnumType(named) ? named.getValues()[0]?.name : plainOf(named);
    return listed ? [plain] : plain;
  };
  const declared = field.args.map(({ name, type }) => `$${name}: ${type}`);
  const passed = field.args.map(({ name }) => `${name}: $${name}`);
  return {
    query: `${kind} (${declared.join(', ')}) { ${operation}(${passed.join(', ')}) ${selectionOf(schema, field.type, 0)} }`,
    variables: given(field.args, names),
  };
}

const plainOf = ({ name }: GraphQLNamedType): unknown =>
  ({ Boolean: true, Int: 1, DateTime: new Date(Date.now() + 86_400_000).toISOString() })[name] ?? 'plain';

const depthMax = 3;

/** All that is answered, as deep as it goes, without what needs arguments. */
function selectionOf(schema: GraphQLSchema, type: GraphQLOutputType, depth: number): string {
  const named = getNamedType(type);
  if (!isCompositeType(named)) return '';
  const possible = isObjectType(named) ? [named] : schema.getPossibleTypes(named);
  const parts = possible.map((one) => {
    const fields = Object.values(one.getFields())
      .filter((field) => depth < depthMax || !isCompositeType(getNamedType(field.type)))
      .filter(({ args }) => args.every((arg) => !isNonNullType(arg.type) || arg.defaultValue !== undefined))
      // Pages of the same in each other are of no use.
      .filter(({ name }) => depth === 0 || !['edges', 'tenants', 'users'].includes(name))
      // In two types of a union it is once a text and once a text or null.
      .map(({ name, type: answered }) => {
        const alias = name === 'field' ? `${one.name}Field: ` : '';
        return `${alias}${name} ${selectionOf(schema, answered, depth + 1)}`;
      });
    return isObjectType(named) ? fields.join(' ') : `... on ${one.name} { ${fields.join(' ')} }`;
  });
  return `{ __typename ${parts.join(' ')} }`;
}
