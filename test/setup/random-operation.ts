import {
  type GraphQLArgument,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  OperationTypeNode,
} from 'graphql';

/** A number below `below`; one seed gives one sequence. */
export type Random = (below: number) => number;

export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    // Mulberry32.
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const pick = <T>(random: Random, from: readonly T[]): T => from[random(from.length)] as T;

/** Names that an object may have inherited, and that of a promise's method. */
const oddAliases = ['__proto__', 'constructor', 'then', 'toString', '__typename', 'hasOwnProperty'];

/**
 * Chooses what is given to an argument or to a field of an input.
 * @param type name of its scalar @param name its own
 */
export type ScalarOf = (type: string, name: string, random: Random) => unknown;

interface Writing {
  schema: GraphQLSchema;
  scalarOf: ScalarOf;
  /** The argument or field of an input that is being written. */
  at: string;
  random: Random;
  fragments: Map<string, { on: GraphQLNamedType; text: string }>;
  variables: string[];
  values: Record<string, unknown>;
  /** Fields that may still be written. */
  left: number;
}

/** An operation that fits the schema most of the time (merging can fail), and values for its variables. */
export function randomOperation(schema: GraphQLSchema, random: Random, scalarOf: ScalarOf = plainScalarOf) {
  const operation =
    schema.getMutationType() && random(4) === 0 ? OperationTypeNode.MUTATION : OperationTypeNode.QUERY;
  const root = schema.getRootType(operation) as GraphQLNamedType;
  const writing: Writing = {
    schema,
    scalarOf,
    at: '',
    random,
    fragments: new Map(),
    variables: [],
    values: {},
    left: 5 + random(20),
  };
  const selection = selectionOf(writing, root, 0);
  const variables = writing.variables.length === 0 ? '' : `(${writing.variables.join(', ')})`;
  const fragments = [...writing.fragments].map(
    ([name, { on, text }]) => `fragment ${name} on ${on.name} ${text}`,
  );
  return {
    source: [`${operation} Random${variables} ${selection}`, ...fragments].join('\n'),
    variables: writing.values,
  };
}

function selectionOf(writing: Writing, type: GraphQLNamedType, depth: number): string {
  const { random } = writing;
  const parts: string[] = [];
  const count = 1 + random(5);
  for (let index = 0; index < count; index += 1) {
    const choice = random(12);
    if (choice === 0) parts.push(`${pick(random, ['', '', 'kind: '])}__typename${directiveOf(writing)}`);
    else if (choice <= 2 && depth < 6) parts.push(fragmentOf(writing, type, depth));
    else if (isObjectType(type) || isInterfaceType(type)) parts.push(fieldOf(writing, type, depth));
    else parts.push(fragmentOf(writing, type, depth));
  }
  const written = parts.filter((part) => part !== '');
  return `{ ${written.length === 0 ? '__typename' : written.join(' ')} }`;
}

function fieldOf(writing: Writing, type: GraphQLNamedType, depth: number): string {
  if (!isObjectType(type) && !isInterfaceType(type)) return '';
  const { random } = writing;
  const fields = Object.values(type.getFields());
  const field = pick(random, fields);
  const inner = getNamedType(field.type);
  if (isCompositeType(inner) && (depth > 5 || writing.left <= 0)) return '__typename';
  writing.left -= 1;
  const args = argumentsOf(writing, field.args);
  // With arguments, two of a name would rarely be the same.
  const name =
    args === '' && random(5) !== 0
      ? ''
      : random(12) === 0
        ? `${pick(random, oddAliases.slice(0, 4))}: `
        : `a${random(3) === 0 ? random(4) : 1000 + writing.left}: `;
  const text = `${name}${field.name}${args}${directiveOf(writing)}`;
  if (!isCompositeType(inner)) return text;
  const whole = `${text} ${selectionOf(writing, inner, depth + 1)}`;
  // Once more beside itself, with other fields: the two are merged.
  return name === '' && random(6) === 0
    ? `${whole} ${text} ${selectionOf(writing, inner, depth + 1)}`
    : whole;
}

function fragmentOf(writing: Writing, type: GraphQLNamedType, depth: number): string {
  const { random, schema, fragments } = writing;
  const possible = isAbstractType(type) ? [type, ...schema.getPossibleTypes(type)] : [type];
  const wider = isObjectType(type) && random(3) === 0 ? type.getInterfaces() : [];
  const on = pick<GraphQLNamedType>(random, wider.length > 0 ? wider : possible);
  const directive = directiveOf(writing);
  const again = [...fragments].find(([, fragment]) => fragment.on === on);
  if (again && random(2) === 0) return `...${again[0]}${directive}`;
  const text = selectionOf(writing, on, depth + 1);
  if (random(2) === 0) {
    const name = `F${fragments.size}`;
    fragments.set(name, { on, text });
    return `...${name}${directive}`;
  }
  return on === type && random(2) === 0 ? `...${directive} ${text}` : `... on ${on.name}${directive} ${text}`;
}

function directiveOf(writing: Writing): string {
  const { random } = writing;
  if (random(9) !== 0) return '';
  const condition =
    random(2) === 0 ? String(random(2) === 0) : variableOf(writing, 'Boolean!', random(2) === 0);
  return ` @${pick(random, ['skip', 'include'])}(if: ${condition})`;
}

function argumentsOf(writing: Writing, args: readonly GraphQLArgument[]): string {
  const { random } = writing;
  const written = args
    .filter((arg) => (isNonNullType(arg.type) && arg.defaultValue === undefined) || random(2) === 0)
    .map((arg) => `${arg.name}: ${argumentOf(writing, arg)}`);
  return written.length === 0 ? '' : `(${written.join(', ')})`;
}

function argumentOf(writing: Writing, { name, type, defaultValue }: GraphQLArgument): string {
  const { random } = writing;
  writing.at = name;
  if (random(3) !== 0) return literalOf(writing, type, 0);
  // With a default, the argument takes a variable that may be null, and complains when it is.
  const mayBeNull = isNonNullType(type) && defaultValue !== undefined && random(2) === 0;
  const declared = mayBeNull ? String(type.ofType) : String(type);
  return variableOf(writing, declared, inputOf(writing, type, 0));
}

function variableOf({ random, variables, values }: Writing, type: string, value: unknown): string {
  const name = `v${variables.length}`;
  const fallback = type === 'Boolean!' && random(4) === 0 ? ' = true' : '';
  variables.push(`$${name}: ${type}${fallback}`);
  const choice = random(30);
  if (choice === 0) values[name] = null;
  else if (choice === 1) values[name] = { wrong: ['value'] };
  else if (choice > 4 || (type.endsWith('!') && random(6) !== 0)) values[name] = value;
  return `$${name}`;
}

function literalOf(writing: Writing, type: GraphQLInputType, depth: number): string {
  const { random } = writing;
  if (isNonNullType(type)) return literalOf(writing, type.ofType, depth);
  if (depth > 0 && random(8) === 0) return 'null';
  if (isListType(type)) {
    const items = Array.from({ length: random(3) }, () => {
      const item = literalOf(writing, type.ofType, depth + 1);
      return item === 'null' && isNonNullType(type.ofType) ? literalOf(writing, type.ofType, 0) : item;
    });
    return `[${items.join(', ')}]`;
  }
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields())
      .filter((field) => (isNonNullType(field.type) && field.defaultValue === undefined) || random(3) === 0)
      .filter((field) => depth < 3 || isNonNullType(field.type))
      .map((field) => {
        writing.at = field.name;
        // Without a default of its own, a variable inside a literal may be missing altogether.
        if (random(6) === 0) {
          return `${field.name}: ${variableOf(writing, String(field.type), inputOf(writing, field.type, depth + 1))}`;
        }
        return `${field.name}: ${literalOf(writing, field.type, isNonNullType(field.type) ? 0 : depth + 1)}`;
      });
    return `{ ${fields.join(', ')} }`;
  }
  if (isEnumType(type)) return pick(random, type.getValues()).name;
  return type.name === '_Any'
    ? '{ __typename: "Tenant", id: "x" }'
    : JSON.stringify(inputOf(writing, type, 1));
}

function inputOf(writing: Writing, type: GraphQLInputType, depth: number): unknown {
  const { random } = writing;
  if (isNonNullType(type)) return inputOf(writing, type.ofType, 0.5 + depth);
  if (isListType(type)) {
    return random(6) === 0 && depth < 4
      ? inputOf(writing, type.ofType, depth + 1)
      : Array.from({ length: random(3) }, () => inputOf(writing, type.ofType, depth + 1));
  }
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields()).filter(
      (field) =>
        (isNonNullType(field.type) && field.defaultValue === undefined) || (depth < 3 && random(3) === 0),
    );
    return Object.fromEntries(
      fields.map((field) => {
        writing.at = field.name;
        return [field.name, inputOf(writing, field.type, depth + 1)];
      }),
    );
  }
  if (isEnumType(type)) return pick(random, type.getValues()).name;
  return writing.scalarOf(type.name, writing.at, random);
}

function plainScalarOf(type: string, _name: string, random: Random): unknown {
  switch (type) {
    case 'Int':
      return random(100) - 50;
    case 'Float':
      return random(100) / 4;
    case 'Boolean':
      return random(2) === 0;
    case 'DateTime':
      return '2026-01-02T03:04:05.678Z';
    case '_Any':
      return { __typename: 'Tenant', id: 'x' };
    default:
      return pick(random, ['x', 'bad', '', 'a "quoted" \u2028 one']);
  }
}
