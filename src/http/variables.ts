import {
  coerceInputValue,
  GraphQLID,
  type GraphQLInputType,
  type GraphQLSchema,
  GraphQLString,
  getNullableType,
  getVariableValues,
  isInputObjectType,
  isInputType,
  isListType,
  isNonNullType,
  type OperationDefinitionNode,
  typeFromAST,
} from 'graphql';
import { badInput } from '../shared/errors.ts';

type Variables = Record<string, unknown>;

/**
 * The variables of a valid operation as its resolvers see them. What graphql-js says of one that
 * does not fit repeats the value, so the complaint is made here: out of the schema's words alone.
 * @throws BAD_USER_INPUT
 */
export function variablesOf(
  schema: GraphQLSchema,
  { variableDefinitions = [] }: OperationDefinitionNode,
  given: Variables,
): Variables {
  const { coerced } = getVariableValues(schema, variableDefinitions, given, { maxErrors: 1 });
  if (coerced !== undefined) return coerced;
  for (const definition of variableDefinitions) {
    const type = typeFromAST(schema, definition.type);
    if (isInputType(type)) assertFits(definition.variable.name.value, type, given, definition.defaultValue);
  }
  throw badInput('A variable does not fit its type.');
}

/** Reads the variables of one operation where there is nothing to coerce in them; else answers null. */
export type ReadPlain = (given: Variables) => { variables: Variables; lengths: number[] } | null;

/**
 * For operations whose variables are texts, ids and lists of them: the most frequent ones have no others.
 * @returns null for other operations
 */
export function plainReader(
  schema: GraphQLSchema,
  { variableDefinitions = [] }: OperationDefinitionNode,
): ReadPlain | null {
  const places: { name: string; isList: boolean }[] = [];
  for (const { variable, type: written } of variableDefinitions) {
    const type = getNullableType(typeFromAST(schema, written));
    const inner = isListType(type) ? getNullableType(type.ofType) : type;
    if (inner !== GraphQLID && inner !== GraphQLString) return null;
    places.push({ name: variable.name.value, isList: isListType(type) });
  }
  return (given) => {
    const variables: Variables = {};
    const lengths: number[] = [];
    for (const { name, isList } of places) {
      const value = Object.hasOwn(given, name) ? given[name] : undefined;
      if (isList) {
        if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) return null;
        lengths.push(value.length);
      } else if (typeof value !== 'string') return null;
      variables[name] = value;
    }
    return { variables, lengths };
  };
}

function assertFits(name: string, type: GraphQLInputType, given: Variables, fallback: unknown): void {
  const value = Object.hasOwn(given, name) ? given[name] : undefined;
  if (value === undefined && (fallback !== undefined || !isNonNullType(type))) return;
  if (value == null) {
    if (isNonNullType(type)) throw badInput(`Variable "$${name}" of type ${type} is required.`);
    return;
  }
  coerceInputValue(value, type, (path, _value, error) => {
    const place = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`)).join('');
    const at = place === '' ? '' : ` at "${place.replace(/^\./, '')}"`;
    throw badInput(`Variable "$${name}" does not fit${at}: ${reason(typeAt(type, path), error.message)}`);
  });
}

/** The type of what stands at a path inside a value; coercion has followed the path, so it exists. */
function typeAt(type: GraphQLInputType, path: readonly (string | number)[]): GraphQLInputType {
  const [key, ...rest] = path;
  if (key === undefined) return type;
  const whole = getNullableType(type);
  // One value stands for a list of one.
  if (isListType(whole)) return typeAt(whole.ofType, typeof key === 'number' ? rest : path);
  const field = isInputObjectType(whole) ? whole.getFields()[key] : undefined;
  return field === undefined ? type : typeAt(field.type, rest);
}

function reason(type: GraphQLInputType, message: string): string {
  // Names of the schema, both; the name of a field that it does not know is the client's.
  const missing = /^Field "(\w+)" of required type/.exec(message)?.[1];
  if (missing !== undefined) return `the field "${missing}" of ${getNullableType(type)} is required.`;
  if (/^Field ".*" is not defined by type/s.test(message)) {
    return `it has a field that ${getNullableType(type)} does not define.`;
  }
  return `expected a value of type ${type}.`;
}
