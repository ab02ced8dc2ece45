import {
  type DocumentNode,
  type FieldNode,
  type GraphQLAbstractType,
  type GraphQLField,
  type GraphQLLeafType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  Kind,
  visit,
} from 'graphql';
import { collectFields, collectSubfields } from 'graphql/execution/collectFields.js';
import { type ExecutionContext, getFieldDef } from 'graphql/execution/execute.js';

/*
 * What graphql-js finds out anew in every execution and that depends on nothing but the operation:
 * which fields a selection has on which type, and what each answers. A plan is written by executing
 * (what no execution has reached is not in it), so it takes no compiling beforehand.
 */

/** A type as completing a value asks for it. */
export type Shape = { isNonNull: boolean } & (
  | { kind: 'leaf'; type: GraphQLLeafType }
  | { kind: 'list'; of: Shape; type: GraphQLOutputType }
  | { kind: 'abstract'; type: GraphQLAbstractType }
  | { kind: 'object'; type: GraphQLObjectType }
);

/** One field of an answer: all nodes of the document that ask for it under one name. */
export interface PlannedField {
  responseName: string;
  nodes: readonly [FieldNode, ...FieldNode[]];
  plan: Plan;
  parentType: GraphQLObjectType;
  definition: GraphQLField<unknown, unknown>;
  shape: Shape;
  /** By the type of the object answered; written as types come up. */
  selections: Map<GraphQLObjectType, readonly PlannedField[]>;
}

/** One operation's fields, from the root on. */
export class Plan {
  /** Fields planned so far. */
  size = 0;
  /** Whether other executions will use it. */
  isKept = false;
  #root: readonly PlannedField[] | null = null;

  root(execution: ExecutionContext, type: GraphQLObjectType): readonly PlannedField[] {
    this.#root ??= planned(
      this,
      execution,
      type,
      collectFields(
        execution.schema,
        execution.fragments,
        execution.variableValues,
        type,
        execution.operation.selectionSet,
      ),
    );
    return this.#root;
  }
}

/** What is selected of an object that a field answers. */
export function selectionOf(
  execution: ExecutionContext,
  { plan, nodes, selections }: PlannedField,
  type: GraphQLObjectType,
): readonly PlannedField[] {
  const known = selections.get(type);
  if (known !== undefined) return known;
  const { schema, fragments, variableValues } = execution;
  const fields = planned(
    plan,
    execution,
    type,
    collectSubfields(schema, fragments, variableValues, type, nodes),
  );
  selections.set(type, fields);
  return fields;
}

function planned(
  plan: Plan,
  { schema }: ExecutionContext,
  parentType: GraphQLObjectType,
  fields: ReadonlyMap<string, readonly FieldNode[]>,
): readonly PlannedField[] {
  const result: PlannedField[] = [];
  for (const [responseName, [node, ...others]] of fields) {
    const definition = node && getFieldDef(schema, parentType, node);
    if (node === undefined || definition == null) continue;
    const shape = shapeOf(definition.type);
    const nodes = [node, ...others] as const;
    result.push({ responseName, nodes, plan, parentType, definition, shape, selections: new Map() });
  }
  plan.size += result.length;
  return result;
}

function shapeOf(type: GraphQLOutputType, isNonNull = false): Shape {
  if (isNonNullType(type)) return shapeOf(type.ofType, true);
  if (isListType(type)) return { kind: 'list', type, of: shapeOf(type.ofType), isNonNull };
  if (isLeafType(type)) return { kind: 'leaf', type, isNonNull };
  return isAbstractType(type) ? { kind: 'abstract', type, isNonNull } : { kind: 'object', type, isNonNull };
}

/** Whether the fields that a document selects depend on its variables. */
export function selectsByVariables(document: DocumentNode): boolean {
  let does = false;
  visit(document, {
    Directive(directive) {
      if (directive.arguments?.some(({ value }) => value.kind === Kind.VARIABLE)) does = true;
    },
  });
  return does;
}
