import {
  type ASTVisitor,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLSchema,
  getArgumentValues,
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';
import { ApiError, badInput, limitExceeded } from '../shared/errors.ts';
import * as limits from '../shared/limits.ts';

/*
 * What a request may ask (security.md GQL-1), judged with fragments written out and before any
 * resolver runs. Libraries for single limits exist; none sees all of a document once, with
 * variables, so the two walks are ours. What @skip and @include switch off counts like the rest.
 */

/** Lists that may be longer than others: "Type.field:path". */
const longerLists: ReadonlyMap<string, number> = new Map([
  ['Mutation.setTenantMfaPolicyOverrides:input.tenantIds', limits.bulkTenantsMax],
  ['Query.previewTenantMfaPolicyOverrides:tenantIds', limits.bulkTenantsMax],
]);

/** Fields that read far more than they answer, with what each costs. */
const dearFields: ReadonlyMap<string, number> = new Map([
  ['Query.previewApplicationMfaPolicy', limits.previewCost],
  ['Query.previewTenantMfaPolicy', limits.previewCost],
  ['Query.previewTenantMfaPolicyOverrides', limits.previewCost],
]);

/** Fields that answer one object, however long a list they are given. */
const sums: ReadonlySet<string> = new Set(['Query.previewTenantMfaPolicyOverrides']);

type Fragments = ReadonlyMap<string, FragmentDefinitionNode>;

const fragmentsOf = (document: DocumentNode): Fragments =>
  new Map(
    document.definitions
      .filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION)
      .map((definition) => [definition.name.value, definition]),
  );

// --- the document's shape, whatever its variables ------------------------------------------------

interface Shape {
  fragments: Fragments;
  fields: number;
  aliases: number;
  repeats: number;
  directives: number;
}

/**
 * A validation rule that holds every operation of the document to the limits. It speaks before the
 * others: the time that graphql-js takes to compare fields grows with the square of their number.
 */
export function DocumentLimitsRule(context: ValidationContext): ASTVisitor {
  return {
    Document(document) {
      try {
        const fragments = fragmentsOf(document);
        for (const operation of document.definitions) {
          if (operation.kind !== Kind.OPERATION_DEFINITION) continue;
          const directives = operation.directives?.length ?? 0;
          const shape = { fragments, fields: 0, aliases: 0, repeats: 0, directives };
          const names = new Set<string>();
          check(
            limits.rootFieldsMax,
            measure(shape, operation.selectionSet, 1, names, new Set()),
            'root fields',
          );
        }
        return undefined;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        context.reportError(error);
        // Nothing below the document is visited any more, by this rule or another.
        return null;
      }
    },
  };
}

/**
 * @param names response names that the selection set, fragments written out, has so far
 * @param open fragments that are being written out; one inside itself is another rule's business
 * @returns how many fields the selection set has, fragments written out
 */
function measure(
  shape: Shape,
  { selections }: SelectionSetNode,
  depth: number,
  names: Set<string>,
  open: Set<string>,
): number {
  check(limits.depthMax, depth, 'levels of fields');
  let count = 0;
  for (const selection of selections) {
    // Writing fragments out can take exponential time: each one counts, fields or none.
    shape.fields += 1;
    check(limits.fieldsMax, shape.fields, 'fields, fragments written out');
    shape.directives += selection.directives?.length ?? 0;
    check(limits.directivesMax, shape.directives, 'directives');
    if (selection.kind === Kind.FIELD) {
      count += 1;
      if (selection.alias !== undefined) shape.aliases += 1;
      check(limits.aliasesMax, shape.aliases, 'aliases');
      const name = (selection.alias ?? selection.name).value;
      if (names.has(name)) shape.repeats += 1;
      check(limits.repeatsMax, shape.repeats, 'fields that repeat one beside them');
      names.add(name);
      if (selection.selectionSet) measure(shape, selection.selectionSet, depth + 1, new Set(), open);
    } else if (selection.kind === Kind.INLINE_FRAGMENT) {
      count += measure(shape, selection.selectionSet, depth, names, open);
    } else {
      const fragment = shape.fragments.get(selection.name.value);
      if (fragment === undefined || open.has(fragment.name.value)) continue;
      open.add(fragment.name.value);
      count += measure(shape, fragment.selectionSet, depth, names, open);
      open.delete(fragment.name.value);
    }
  }
  return count;
}

// --- one operation with its variables ------------------------------------------------------------

interface Walk {
  schema: GraphQLSchema;
  fragments: Fragments;
  variables: Record<string, unknown>;
  cost: number;
  codes: number;
}

/** Where a guess at a factor can stand in an input. */
const codeInputs = ['code', 'recoveryCode', 'currentCode'];

/**
 * Checks pages, lists, codes and cost of an operation that is valid.
 * @param variables coerced
 * @throws LIMIT_EXCEEDED saying which limit, and what it is; BAD_USER_INPUT
 */
export function assertWithinLimits(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Record<string, unknown>,
): void {
  const root = schema.getRootType(operation.operation);
  if (root == null) return;
  addUp(
    { schema, fragments: fragmentsOf(document), variables, cost: 0, codes: 0 },
    root,
    operation.selectionSet,
    1,
  );
}

/** @param times how many objects of the type may be answered */
function addUp(
  walk: Walk,
  type: GraphQLCompositeType,
  { selections }: SelectionSetNode,
  times: number,
): void {
  for (const selection of selections) {
    if (selection.kind === Kind.FIELD) {
      addField(walk, type, selection, times);
      continue;
    }
    const fragment =
      selection.kind === Kind.INLINE_FRAGMENT ? selection : walk.fragments.get(selection.name.value);
    if (fragment === undefined) continue;
    const condition = fragment.typeCondition && walk.schema.getType(fragment.typeCondition.name.value);
    addUp(walk, isCompositeType(condition) ? condition : type, fragment.selectionSet, times);
  }
}

function addField(walk: Walk, type: GraphQLCompositeType, node: FieldNode, times: number): void {
  walk.cost += times * (dearFields.get(`${type.name}.${node.name.value}`) ?? 1);
  check(limits.costMax, walk.cost, 'of cost (fields, times the sizes of the lists they stand in)');
  // Introspection is bounded by graphql-js' own rule.
  const field = isObjectType(type) || isInterfaceType(type) ? type.getFields()[node.name.value] : undefined;
  if (field === undefined) return;
  const args = argumentsOf(walk, field, node);
  assertOneCode(walk, args);
  const size = sizeOf(`${type.name}.${field.name}`, args);
  const inner = getNamedType(field.type);
  if (node.selectionSet && isCompositeType(inner)) addUp(walk, inner, node.selectionSet, times * size);
}

/** One request is one guess (security.md THR-2), whatever aliases and fragments it is written with. */
function assertOneCode(walk: Walk, { input }: Record<string, unknown>): void {
  if (input === null || typeof input !== 'object') return;
  if (codeInputs.some((name) => (input as Record<string, unknown>)[name] != null)) walk.codes += 1;
  check(limits.codesMax, walk.codes, 'code of a factor');
}

/** How many objects a field may answer: the page asked for, or one for each entry of a list given. */
function sizeOf(place: string, args: Record<string, unknown>): number {
  const longest = Math.max(
    1,
    ...Object.entries(args).map(([name, value]) => longestList(`${place}:${name}`, name, value)),
  );
  if (sums.has(place)) return 1;
  const { first } = args;
  if (typeof first !== 'number') return longest;
  if (first < 1 || first > limits.pageSizeMax) throw badInput(`first must be 1 to ${limits.pageSizeMax}.`);
  return first;
}

function argumentsOf(
  walk: Walk,
  field: GraphQLField<unknown, unknown>,
  node: FieldNode,
): Record<string, unknown> {
  try {
    return getArgumentValues(field, node, walk.variables);
  } catch {
    // A document that is valid gets here only by a variable that is null.
    throw badInput(`An argument of ${field.name} is null, or has a null in it, where a value is required.`);
  }
}

/** @throws LIMIT_EXCEEDED when a list in the value is longer, or the value deeper, than may be */
function longestList(place: string, path: string, value: unknown, depth = 1): number {
  if (value === null || typeof value !== 'object') return 0;
  check(limits.depthMax, depth, 'levels in a value');
  if (!Array.isArray(value)) {
    return Math.max(
      0,
      ...Object.entries(value).map(([name, inner]) =>
        longestList(`${place}.${name}`, `${path}.${name}`, inner, depth + 1),
      ),
    );
  }
  const most =
    longerLists.get(place) ?? (path === 'representations' ? limits.representationsMax : limits.listIdsMax);
  if (value.length > most) {
    throw limitExceeded(`A list has ${value.length} entries; the limit is ${most}. Split the call.`);
  }
  return Math.max(value.length, ...value.map((item) => longestList(place, path, item, depth + 1)));
}

function check(most: number, value: number, what: string): void {
  if (value > most) {
    throw limitExceeded(`The operation has more than ${most} ${what}. Ask for less, or split it.`);
  }
}

// --- reading the schema --------------------------------------------------------------------------

/** Whether an operation reads the schema: `__schema` or `__type`, at the root of a query. */
export function readsSchema(document: DocumentNode, operation: OperationDefinitionNode): boolean {
  const fragments = fragmentsOf(document);
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
