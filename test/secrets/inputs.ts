import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLObjectType,
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
 * Fields of the answer take inputs as well: an operation has those of every field that can be asked for below it.
 */

/** A field, and the type that has it. */
interface Step {
  on: GraphQLObjectType;
  field: GraphQLField<unknown, unknown>;
}

/** A place where a caller may write: an argument, or a field of an input, however deep. */
export interface Leaf {
  /**
   * The operation, the fields on the way and the names down to the place, e.g. createTenant.input.displayName or
   * tenant.users.filter.state.
   */
  path: string;
  kind: 'query' | 'mutation';
  /** The fields from the operation to the one that takes the argument; one only where the operation takes it. */
  way: readonly Step[];
  /** The argument, and the fields of inputs in it. */
  names: string[];
  type: GraphQLInputType;
}

export function leavesOf(schema: GraphQLSchema): Leaf[] {
  const roots = [
    ['query', schema.getQueryType()],
    ['mutation', schema.getMutationType()],
  ] as const;
  return roots.flatMap(([kind, root]) =>
    stepsFrom(root ? [root] : [])
      .flatMap((first) => waysOf(schema, first))
      .flatMap((way) =>
        (way.at(-1)?.field.args ?? [])
          .flatMap((arg) => below(arg, []))
          .map(({ names, type }) => ({
            path: [...way.map(({ field }) => field.name), ...names].join('.'),
            kind,
            way,
            names,
            type,
          })),
      ),
  );
}

const stepsFrom = (types: readonly GraphQLObjectType[]): Step[] =>
  types.flatMap((on) => Object.values(on.getFields()).map((field) => ({ on, field })));

/** @returns the shortest way to each field that can be asked for below an operation, and first that to itself */
function waysOf(schema: GraphQLSchema, first: Step): Step[][] {
  const seen = new Set<GraphQLObjectType>();
  const ways: Step[][] = [];
  let next = [[first]];
  while (next.length > 0) {
    ways.push(...next);
    next = next.flatMap((way) => {
      const types = way.slice(-1).flatMap(({ field }) => objectsOf(schema, getNamedType(field.type)));
      const unseen = types.filter((type) => !seen.has(type));
      for (const type of unseen) seen.add(type);
      return stepsFrom(unseen).map((step) => [...way, step]);
    });
  }
  return ways;
}

/** The types of object that a type may turn out to be: none for what has no fields. */
function objectsOf(schema: GraphQLSchema, type: GraphQLNamedType): readonly GraphQLObjectType[] {
  if (isObjectType(type)) return [type];
  return isCompositeType(type) ? schema.getPossibleTypes(type) : [];
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

/**
 * A value that fits, or undefined where there need be none; of a list one entry, or several.
 * @param field that takes the argument @param name of the argument or field of an input
 */
export type Good = (field: string, name: string) => unknown;

/**
 * An operation with good values everywhere and one value of the caller's in one place.
 * @returns its document, which asks for all that the field with the place answers, and its variables
 */
export function operationWith(schema: GraphQLSchema, { kind, way, names }: Leaf, value: unknown, good: Good) {
  const steps = way.map(({ on, field }, index) => {
    // Two fields on the way may have arguments of one name.
    const variableOf = (name: string) => (index === 0 ? name : `${name}${index}`);
    const given = valuesOf(field, index === way.length - 1 ? names : [], value, good);
    const passed = field.args.map(({ name }) => `${name}: $${variableOf(name)}`);
    return {
      on,
      written: passed.length === 0 ? field.name : `${field.name}(${passed.join(', ')})`,
      declared: field.args.map(({ name, type }) => `$${variableOf(name)}: ${type}`),
      variables: Object.entries(given).map(([name, made]) => [variableOf(name), made]),
    };
  });
  const answered = way.at(-1)?.field.type;
  const asked = steps.reduceRight(
    (inner, { on, written }, index) =>
      index === 0 ? `{ ${written} ${inner} }` : `{ __typename ... on ${on.name} { ${written} ${inner} } }`,
    answered ? selectionOf(schema, answered, 0) : '',
  );
  return {
    query: `${kind} (${steps.flatMap(({ declared }) => declared).join(', ')}) ${asked}`,
    variables: Object.fromEntries(steps.flatMap(({ variables }) => variables)),
  };
}

/** The arguments of one field. @param names the way to the place of the value, none where it is in another field */
function valuesOf(
  field: Step['field'],
  names: readonly string[],
  value: unknown,
  good: Good,
): Record<string, unknown> {
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
    const found = good(field.name, name);
    if (found !== undefined) return listed ? [found].flat() : found;
    if (!isNonNullType(type)) return undefined;
    const plain = isEnumType(named) ? named.getValues()[0]?.name : plainOf(named);
    return listed ? [plain] : plain;
  };
  return given(field.args, names);
}

const plainOf = ({ name }: GraphQLNamedType): unknown =>
  ({ Boolean: true, Int: 1, DateTime: new Date(Date.now() + 86_400_000).toISOString() })[name] ?? 'plain';

const depthMax = 3;

/** All that is answered, as deep as it goes, without what needs arguments. */
function selectionOf(schema: GraphQLSchema, type: GraphQLOutputType, depth: number): string {
  const named = getNamedType(type);
  if (!isCompositeType(named)) return '';
  const parts = objectsOf(schema, named).map((one) => {
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
