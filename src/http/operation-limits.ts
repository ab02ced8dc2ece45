import {
  type ArgumentNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLSchema,
  getArgumentValues,
  getNamedType,
  getVariableValues,
  isCompositeType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  SchemaMetaFieldDef,
  type SelectionSetNode,
  TypeMetaFieldDef,
  TypeNameMetaFieldDef,
} from 'graphql';
import { limitExceeded } from '../shared/errors.ts';
import * as limits from '../shared/limits.ts';

/*
 * What one operation may ask (security.md GQL-1), judged with its variables and its fragments
 * written out, before any resolver runs. Libraries for single limits exist; none sees all of a
 * document once, with variables, so the walk is ours.
 */

/** Lists that may be longer than others: "Mutation.field:path". */
const longerLists: ReadonlyMap<string, number> = new Map([]);

interface Walk {
  schema: GraphQLSchema;
  fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  variables: Record<string, unknown>;
  fields: number;
  aliases: number;
  directives: number;
  cost: number;
}

/** @throws LIMIT_EXCEEDED saying which limit, and what it is */
export function assertWithinLimits(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  rawVariables: Record<string, unknown>,
): void {
  const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], rawVariables);
  // Variables of the wrong type: execution refuses them, before any resolver.
  if (coerced === undefined) return;
  const walk: Walk = {
    schema,
    fragments: new Map(
      document.definitions
        .filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION)
        .map((definition) => [definition.name.value, definition]),
    ),
    variables: coerced,
    fields: 0,
    aliases: 0,
    directives: operation.directives?.length ?? 0,
    cost: 0,
  };
  const root = schema.getRootType(operation.operation);
  if (root == null) return;
  const rootFields = visit(walk, root, operation.selectionSet, 1, 1);
  check(limits.rootFieldsMax, rootFields, 'root fields');
}

/** Adds up one selection set. @returns how many fields it has, fragments written out */
function visit(
  walk: Walk,
  type: GraphQLCompositeType,
  { selections }: SelectionSetNode,
  depth: number,
  times: number,
): number {
  check(limits.depthMax, depth, 'levels of fields');
  let count = 0;
  for (const selection of selections) {
    walk.directives += selection.directives?.length ?? 0;
    check(limits.directivesMax, walk.directives, 'directives');
    if (selection.kind === Kind.FIELD) {
      count += 1;
      visitField(walk, type, selection, depth, times);
      continue;
    }
    const fragment =
      selection.kind === Kind.INLINE_FRAGMENT ? selection : walk.fragments.get(selection.name.value);
    if (fragment === undefined) continue;
    const condition = fragment.typeCondition && walk.schema.getType(fragment.typeCondition.name.value);
    // Writing fragments out can take exponential time; each one counts as visited, fields or none.
    walk.fields += 1;
    check(limits.fieldsVisitedMax, walk.fields, 'fields, fragments written out');
    count += visit(walk, isCompositeType(condition) ? condition : type, fragment.selectionSet, depth, times);
  }
  return count;
}

function visitField(
  walk: Walk,
  type: GraphQLCompositeType,
  node: FieldNode,
  depth: number,
  times: number,
): void {
  walk.fields += 1;
  check(limits.fieldsVisitedMax, walk.fields, 'fields, fragments written out');
  if (node.alias !== undefined) walk.aliases += 1;
  check(limits.aliasesMax, walk.aliases, 'aliases');
  walk.cost += times;
  check(limits.costMax, walk.cost, 'of cost (fields, times the sizes of the lists they stand in)');
  const field = fieldOf(walk.schema, type, node.name.value);
  if (field === undefined) return;
  const args = argumentsOf(walk, field, node);
  for (const [name, value] of Object.entries(args))
    assertListSizes(`${type.name}.${field.name}:${name}`, name, value);
  if (node.selectionSet === undefined) return;
  const inner = getNamedType(field.type);
  if (isCompositeType(inner)) visit(walk, inner, node.selectionSet, depth + 1, times * sizeOf(field, args));
}

/** How many objects a field may answer: the page asked for, or one for each id given. */
function sizeOf(field: GraphQLField<unknown, unknown>, args: Record<string, unknown>): number {
  if (typeof args['first'] === 'number') return Math.max(1, args['first']);
  const type = isNonNullType(field.type) ? field.type.ofType : field.type;
  if (!isListType(type)) return 1;
  const asked = Object.values(args).find(Array.isArray);
  return asked === undefined ? 1 : Math.max(1, asked.length);
}

function fieldOf(
  schema: GraphQLSchema,
  type: GraphQLCompositeType,
  name: string,
): GraphQLField<unknown, unknown> | undefined {
  if (name === TypeNameMetaFieldDef.name) return TypeNameMetaFieldDef;
  if (type === schema.getQueryType()) {
    if (name === SchemaMetaFieldDef.name) return SchemaMetaFieldDef;
    if (name === TypeMetaFieldDef.name) return TypeMetaFieldDef;
  }
  return isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined;
}

function argumentsOf(
  walk: Walk,
  field: GraphQLField<unknown, unknown>,
  node: FieldNode & { arguments?: readonly ArgumentNode[] },
): Record<string, unknown> {
  try {
    return getArgumentValues(field, node, walk.variables);
  } catch {
    // A missing required argument: execution says so.
    return {};
  }
}

function assertListSizes(place: string, path: string, value: unknown): void {
  if (Array.isArray(value)) {
    const most =
      longerLists.get(place) ?? (path === 'representations' ? limits.representationsMax : limits.listIdsMax);
    if (value.length > most) {
      throw limitExceeded(`${path} has ${value.length} entries; the limit is ${most}. Split the call.`);
    }
    for (const item of value) assertListSizes(place, path, item);
  } else if (value !== null && typeof value === 'object') {
    for (const [name, inner] of Object.entries(value))
      assertListSizes(`${place}.${name}`, `${path}.${name}`, inner);
  }
}

function check(most: number, value: number, what: string): void {
  if (value > most) {
    throw limitExceeded(`The operation has more than ${most} ${what}. Ask for less, or split it.`);
  }
}

/** Whether an operation reads the schema: `__schema` or `__type`, at the root of a query. */
export function readsSchema(document: DocumentNode, operation: OperationDefinitionNode): boolean {
  const fragments = new Map(
    document.definitions
      .filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION)
      .map((definition) => [definition.name.value, definition]),
  );
  const seen = new Set<string>();
  const inSelection = ({ selections }: SelectionSetNode): boolean =>
    selections.some((selection) => {
      if (selection.kind === Kind.FIELD) return ['__schema', '__type'].includes(selection.name.value);
      if (selection.kind === Kind.INLINE_FRAGMENT) return inSelection(selection.selectionSet);
      if (seen.has(selection.name.value)) return false;
      seen.add(selection.name.value);
      const fragment = fragments.get(selection.name.value);
      return fragment !== undefined && inSelection(fragment.selectionSet);
    });
  return inSelection(operation.selectionSet);
}
