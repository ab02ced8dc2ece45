import { defaultFieldResolver, type GraphQLResolveInfo, getArgumentValues } from 'graphql';
import type { ExecutionContext } from 'graphql/execution/execute.js';
import type { Path } from 'graphql/jsutils/Path.js';
import { isPromise } from '../shared/promise.ts';
import type { PlannedField } from './plan.ts';

export const readsProperty = (
  { resolve, args }: PlannedField['definition'],
  source: unknown,
): source is Record<string, unknown> =>
  resolve === undefined && args.length === 0 && source !== null && typeof source === 'object';

/** Whether the value of a property is to be called or waited for. */
export const isLate = (value: unknown): boolean => typeof value === 'function' || isPromise(value);

/** What a field's resolver answers, or the property of its name. */
export function resultOf(
  { variableValues, contextValue }: ExecutionContext,
  { definition, nodes: [node] }: PlannedField,
  source: unknown,
  info: GraphQLResolveInfo,
  isMethod: boolean,
): unknown {
  const args = definition.args.length === 0 ? {} : getArgumentValues(definition, node, variableValues);
  if (isMethod)
    return ((source as Record<string, Method>)[definition.name] as Method).call(
      source,
      args,
      contextValue,
      info,
    );
  return (definition.resolve ?? defaultFieldResolver)(source, args, contextValue, info);
}

type Method = (args: object, contextValue: unknown, info: GraphQLResolveInfo) => unknown;

export const pathTo = (field: PlannedField, prev: Path | undefined): Path => ({
  prev,
  key: field.responseName,
  typename: field.parentType.name,
});

export const infoOf = (execution: ExecutionContext, field: PlannedField, path: Path): GraphQLResolveInfo => ({
  fieldName: field.definition.name,
  fieldNodes: field.nodes,
  returnType: field.definition.type,
  parentType: field.parentType,
  path,
  schema: execution.schema,
  fragments: execution.fragments,
  rootValue: execution.rootValue,
  operation: execution.operation,
  variableValues: execution.variableValues,
});
