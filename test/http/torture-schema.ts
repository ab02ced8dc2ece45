import { buildSchema, GraphQLError, type GraphQLScalarType, type GraphQLSchema } from 'graphql';

const fields = `
  int: Int
  text: String!
  picky: Picky
  pickyToo: Picky!
  color: Color!
  colors: [Color!]
  self: Self
  one: One!
  two: Two
  any: Any
  anyToo: Any!
  anys: [Any!]!
  node: Node
  nodes: [Node]!
  deep: [[One!]!]!
  deeper: [[[Int!]]!]
  deepest: [[[Two!]!]!]
  promised: [Picky!]
  args(int: Int! = 3, input: Deep, colors: [Color!] = [RED], picky: Picky): String!
  required(int: Int!, list: [Int!]!, input: Deep!): Int
`;

/** Everything that the type system allows and that makes nulls travel. */
export function tortureSchema(): GraphQLSchema {
  const schema = buildSchema(`
    scalar Picky
    enum Color { RED GREEN BLUE }
    interface Node { id: ID! text: String! self: Self node: Node nodes: [Node]! }
    interface Named implements Node { id: ID! text: String! self: Self node: Node nodes: [Node]! int: Int }
    union Any = One | Two | Self
    input Deep { int: Int = 3 text: String! = "x" list: [Deep!] color: Color = GREEN picky: Picky must: Boolean! }
    type Self { ${fields} }
    type One implements Node { id: ID! ${fields} }
    type Two implements Node & Named { id: ID! ${fields} }
    type Query { ${fields} }
    type Mutation { ${fields} }
  `);
  const picky = schema.getType('Picky') as GraphQLScalarType;
  picky.serialize = (value) => {
    if (String(value).endsWith('1')) throw new Error(`will not serialize ${String(value)}`);
    if (String(value).endsWith('2')) return null;
    if (String(value).endsWith('3')) throw new GraphQLError('located', { extensions: { code: 'PICKY' } });
    return `serialized ${String(value)}`;
  };
  picky.parseValue = (value) => {
    if (value === 'bad') throw new Error('will not parse');
    return { parsed: value };
  };
  picky.parseLiteral = (node) => picky.parseValue('value' in node ? node.value : null);
  return schema;
}
