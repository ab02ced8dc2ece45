import {
  buildASTSchema,
  type ConstDirectiveNode,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLNamedType,
  type GraphQLSchema,
  type GraphQLType,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
  isScalarType,
  isUnionType,
  parse,
  print,
  specifiedScalarTypes,
} from 'graphql';

/** A schema taken apart: places (`Tenant`, `Tenant.users`, `Tenant.users(first)`) and what stands there. */
export type Facts = ReadonlyMap<string, string>;

/** Reads SDL without asking that the directives it uses are defined in it. */
export const readSdl = (sdl: string): GraphQLSchema => buildASTSchema(parse(sdl), { assumeValidSDL: true });

/** The types of a schema's own, without those of GraphQL. */
const typesOf = (schema: GraphQLSchema): GraphQLNamedType[] =>
  Object.values(schema.getTypeMap()).filter(
    (type) => !type.name.startsWith('__') && !specifiedScalarTypes.some(({ name }) => name === type.name),
  );

/** Everything a client may rely on: names, types, nullability, arguments, defaults, members, directives. */
export function factsOf(schema: GraphQLSchema): Facts {
  const facts = new Map<string, string>();
  for (const { directives } of [schema.astNode, ...schema.extensionASTNodes].filter((node) => node != null)) {
    for (const directive of directives ?? []) facts.set(`schema ${print(directive)}`, '');
  }
  for (const type of typesOf(schema)) {
    addType(facts, type);
    if (isEnumType(type)) {
      for (const { name } of type.getValues()) facts.set(`${type.name}.${name}`, 'value');
    } else if (isUnionType(type)) {
      for (const { name } of type.getTypes()) facts.set(`${type.name} | ${name}`, 'member');
    } else if (isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) {
        addMember(facts, `${type.name}.${field.name}`, field);
      }
    } else if (isObjectType(type) || isInterfaceType(type)) {
      for (const { name } of type.getInterfaces()) facts.set(`${type.name} implements ${name}`, '');
      for (const field of Object.values(type.getFields())) {
        addMember(facts, `${type.name}.${field.name}`, field);
        for (const arg of field.args) addMember(facts, `${type.name}.${field.name}(${arg.name})`, arg);
      }
    }
  }
  return facts;
}

function addType(facts: Map<string, string>, type: GraphQLNamedType): void {
  facts.set(type.name, kindOf(type));
  addDirectives(facts, type.name, type.astNode?.directives);
}

function addMember(
  facts: Map<string, string>,
  place: string,
  member: GraphQLField<unknown, unknown> | GraphQLArgument | GraphQLInputField,
): void {
  const node = member.astNode;
  const byDefault =
    node && 'defaultValue' in node && node.defaultValue ? ` = ${print(node.defaultValue)}` : '';
  facts.set(place, `${member.type}${byDefault}`);
  addDirectives(facts, place, node?.directives);
}

function addDirectives(
  facts: Map<string, string>,
  place: string,
  directives: readonly ConstDirectiveNode[] = [],
): void {
  for (const directive of directives) facts.set(`${place} ${print(directive)}`, '');
}

function kindOf(type: GraphQLNamedType): string {
  if (isScalarType(type)) return 'scalar';
  if (isEnumType(type)) return 'enum';
  if (isUnionType(type)) return 'union';
  if (isInputObjectType(type)) return 'input';
  return isInterfaceType(type) ? 'interface' : 'type';
}

/** The names of the types that the operations lead to, on ways that do not pass the `closed` fields. */
export function reachable(schema: GraphQLSchema, closed: readonly string[]): Set<string> {
  const reached = new Set<string>();
  const visit = (type: GraphQLNamedType) => {
    if (reached.has(type.name)) return;
    reached.add(type.name);
    if (isUnionType(type)) for (const member of type.getTypes()) visit(member);
    if (isObjectType(type)) for (const shared of type.getInterfaces()) visit(shared);
    if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) return;
    for (const field of Object.values(type.getFields())) {
      if (closed.includes(`${type.name}.${field.name}`)) continue;
      for (const { type } of [field, ...('args' in field ? field.args : [])]) visit(namedType(type));
    }
  };
  for (const root of [schema.getQueryType(), schema.getMutationType()]) if (root) visit(root);
  return reached;
}

const namedType = (type: GraphQLType): GraphQLNamedType => getNamedType(type);

/** Arguments and input fields that must be given, each with the place it is asked at. */
export function requiredOf(schema: GraphQLSchema): { at: string; place: string }[] {
  return typesOf(schema).flatMap((type) => {
    if (isInputObjectType(type)) {
      return Object.values(type.getFields())
        .filter(isRequiredInputField)
        .map(({ name }) => ({ at: type.name, place: `${type.name}.${name}` }));
    }
    if (!isObjectType(type) && !isInterfaceType(type)) return [];
    return Object.values(type.getFields()).flatMap((field) => {
      const at = `${type.name}.${field.name}`;
      return field.args.filter(isRequiredArgument).map(({ name }) => ({ at, place: `${at}(${name})` }));
    });
  });
}

/** The facts that are not Federation's machinery, which a subgraph serves beside its own. */
export const ownFactsOf = (schema: GraphQLSchema): Facts =>
  new Map(
    [...factsOf(schema)].filter(([place]) => !/^(_|FieldSet|federation__|link__|Query\._)/.test(place)),
  );

/** What a schema says about each of its places. */
export function descriptionsOf(schema: GraphQLSchema): Record<string, string | null | undefined> {
  const described = typesOf(schema).flatMap((type) => [
    [type.name, type.description] as const,
    ...membersOf(type).map(([place, { description }]) => [place, description] as const),
  ]);
  return Object.fromEntries(described);
}

type Described = { description?: string | null | undefined };

function membersOf(type: GraphQLNamedType): [string, Described][] {
  if (isEnumType(type)) return type.getValues().map((value) => [`${type.name}.${value.name}`, value]);
  if (isInputObjectType(type)) {
    return Object.values(type.getFields()).map((field) => [`${type.name}.${field.name}`, field]);
  }
  if (!isObjectType(type) && !isInterfaceType(type)) return [];
  return Object.values(type.getFields()).flatMap((field): [string, Described][] => [
    [`${type.name}.${field.name}`, field],
    ...field.args.map((arg): [string, Described] => [`${type.name}.${field.name}(${arg.name})`, arg]),
  ]);
}
