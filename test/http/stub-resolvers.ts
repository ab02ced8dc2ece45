import {
  type GraphQLField,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isEnumType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  responsePathAsArray,
} from 'graphql';
import { type Random, randomOf } from '../setup/random-operation.ts';

/** What an execution is given: all that resolvers answer follows from the seed and where they are asked. */
export interface StubContext {
  seed: number;
  /** Every call of ours, in order. */
  calls: string[];
  /** Errors by where they come from: the same objects in every execution. */
  errors: Map<string, Error>;
}

type Kind = 'resolver' | 'property';

const hash = (text: string): number => {
  let value = 2166136261;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 16777619);
  }
  return value >>> 0;
};

/** Two of three fields get a resolver; the others read a property of what their parent's gave. */
const kindOf = (type: string, field: string): Kind =>
  hash(`${type}.${field}`) % 3 === 0 ? 'property' : 'resolver';

/** Replaces every resolver of a schema, and how it tells types. */
export function stub(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__')) continue;
    if (isAbstractType(type)) {
      if (hash(type.name) % 2 === 0) delete (type as { resolveType?: unknown }).resolveType;
      else type.resolveType = (value, context, info) => runtimeType(schema, value, context, info);
    }
    if (isObjectType(type)) {
      delete (type as { isTypeOf?: unknown }).isTypeOf;
      if (hash(type.name) % 3 === 0) type.isTypeOf = isTypeOf(type.name);
      for (const field of Object.values(type.getFields())) stubField(schema, type.name, field);
    }
  }
  return schema;
}

function stubField(schema: GraphQLSchema, type: string, field: GraphQLField<unknown, unknown>): void {
  delete field.resolve;
  const isRoot = [schema.getQueryType(), schema.getMutationType()].some((root) => root?.name === type);
  if (!isRoot && kindOf(type, field.name) === 'property') return;
  field.resolve = (source, args, context, info) => {
    const { seed, calls } = context as StubContext;
    const where = responsePathAsArray(info.path).join('.');
    calls.push(`${where} ${JSON.stringify(args)} of ${describe(source)}; ${describeInfo(info)}`);
    return answer(schema, context as StubContext, field.type, `${seed}:${where}`);
  };
}

const describe = (source: unknown): string =>
  typeof source === 'object' && source !== null && 'where' in source ? String(source.where) : typeof source;

/** All that a resolver is told. */
const describeInfo = (info: GraphQLResolveInfo): string =>
  [
    info.fieldName,
    info.parentType,
    info.returnType,
    info.path.typename,
    info.fieldNodes.map(({ loc }) => loc?.start),
    info.operation.name?.value,
    Object.keys(info.fragments),
    JSON.stringify(info.variableValues),
    Object.keys(info),
    typeof info.rootValue,
  ].join(' ');

const isTypeOf = (name: string) => (value: unknown, context: unknown, info: GraphQLResolveInfo) => {
  const { calls, seed } = context as StubContext;
  calls.push(`is ${describe(value)} ${name}? ${info.fieldName}`);
  const is = typeof value === 'object' && value !== null && (value as { kind?: string }).kind === name;
  const choice = hash(`${seed}${describe(value)}${name}`) % 12;
  if (choice === 0) throw new Error(`cannot tell ${name}`);
  return choice < 4 ? Promise.resolve(is) : is;
};

function runtimeType(
  schema: GraphQLSchema,
  value: unknown,
  context: unknown,
  info: GraphQLResolveInfo,
): never {
  const { calls, seed } = context as StubContext;
  calls.push(`type of ${describe(value)}? ${info.fieldName}`);
  const kind = (value as { kind?: string })?.kind;
  const odd: unknown[] = [
    null,
    undefined,
    7,
    'Nothing',
    'String',
    schema.getQueryType()?.name,
    schema.getQueryType(),
  ];
  const choice = hash(`${seed}${describe(value)}`) % 40;
  if (choice === 30) throw new Error('cannot tell');
  const name = choice < odd.length ? odd[choice] : kind;
  return (choice % 3 === 0 ? Promise.resolve(name) : name) as never;
}

// --- what a field answers ------------------------------------------------------------------------

function answer(
  schema: GraphQLSchema,
  context: StubContext,
  type: GraphQLOutputType,
  where: string,
): unknown {
  const random = randomOf(hash(where));
  const choice = random(60);
  if (choice === 0) return null;
  if (choice === 1) return undefined;
  if (choice === 2) return errorAt(context, where);
  if (choice === 3) throw errorAt(context, where);
  if (choice === 4) return late(random, Promise.reject(errorAt(context, where)));
  // What is thrown need not be an error.
  if (choice === 5) throw where.slice(-3);
  if (choice === 6) return pickOdd(random);
  const value = outputOf(schema, context, type, where, random);
  if (choice < 25) return late(random, Promise.resolve(value));
  return value;
}

const pickOdd = (random: Random): unknown =>
  [Number.NaN, {}, [], 'text', 3.5, Symbol.iterator, new Map()][random(7)];

function errorAt({ errors }: StubContext, where: string): Error {
  const error = errors.get(where) ?? new Error(`failed at ${where}`);
  errors.set(where, error);
  return error;
}

/** Some ticks later. */
function late(random: Random, promise: Promise<unknown>): unknown {
  let result = promise;
  for (let ticks = random(6); ticks > 0; ticks -= 1) result = result.then((value) => value);
  // An executor may give up before it looks.
  result.catch(() => {});
  if (random(4) !== 0) return result;
  // biome-ignore lint/suspicious/noThenProperty: promises of others are waited for as well
  return { then: (...args: Parameters<typeof result.then>) => result.then(...args) };
}

function outputOf(
  schema: GraphQLSchema,
  context: StubContext,
  type: GraphQLOutputType,
  where: string,
  random: Random,
): unknown {
  if (isNonNullType(type)) return outputOf(schema, context, type.ofType, where, random);
  if (isListType(type)) {
    const items = Array.from({ length: random(4) }, (_, index) => {
      try {
        return answer(schema, context, type.ofType, `${where}.${index}`);
      } catch (error) {
        return error instanceof Error ? error : null;
      }
    });
    return random(8) === 0 ? new Set(items) : items;
  }
  const named = getNamedType(type);
  if (isEnumType(named)) return named.getValues()[random(named.getValues().length)]?.value;
  if (isObjectType(named)) return objectOf(schema, context, named.name, where);
  if (isAbstractType(named)) {
    const types = schema.getPossibleTypes(named);
    return objectOf(schema, context, types[random(types.length)]?.name ?? '', where);
  }
  switch (named.name) {
    case 'Int':
      return random(1000);
    case 'Float':
      return random(1000) / 8;
    case 'Boolean':
      return random(2) === 0;
    case 'DateTime':
      return new Date(1_700_000_000_000 + random(1_000_000));
    default:
      return `text ${random(100)}`;
  }
}

/** An object whose fields without a resolver are getters, methods and promises. */
function objectOf(schema: GraphQLSchema, context: StubContext, kind: string, where: string): object {
  const object: Record<string, unknown> = { where, kind };
  const type = schema.getType(kind);
  if (hash(where) % 5 !== 0) object['__typename'] = kind;
  const fields = isObjectType(type) || isInterfaceType(type) ? Object.values(type.getFields()) : [];
  for (const field of fields) {
    if (kindOf(kind, field.name) !== 'property') continue;
    const at = `${where}.${field.name}`;
    const method = (args: unknown, _context: unknown, info: GraphQLResolveInfo) => {
      context.calls.push(`call ${at} ${JSON.stringify(args)} ${describeInfo(info)}`);
      return answer(schema, context, field.type, at);
    };
    Object.defineProperty(object, field.name, {
      get() {
        context.calls.push(`get ${at}`);
        return hash(at) % 6 === 0 ? method : answer(schema, context, field.type, at);
      },
    });
  }
  return object;
}
