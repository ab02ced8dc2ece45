import {
  defaultTypeResolver,
  GraphQLError,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  locatedError,
  OperationTypeNode,
} from 'graphql';
import { inspect } from 'graphql/jsutils/inspect.js';
import { type Path, pathToArray } from 'graphql/jsutils/Path.js';
import { isPromise } from '../shared/promise.ts';
import { Answer, type Execution, piecesOf } from './pieces.ts';
import { type Plan, type PlannedField, type Shape, selectionOf } from './plan.ts';
import { infoOf, isLate, pathTo, readsProperty, resultOf } from './resolve-field.ts';
import { runtimeType } from './runtime-type.ts';

/*
 * graphql-js' own algorithm (its execution/execute.js, version 16) with the plan taken out of the
 * loop: the same calls in the same order and the same ticks, so the same errors survive. What is
 * spared: looking up fields and types, and paths and infos that nobody asks for.
 */

type Data = Record<string, unknown>;

/** Answers the data of a query or mutation, and leaves its errors in the execution. */
export function executePlan(execution: Execution, plan: Plan, type: GraphQLObjectType): Data | Promise<Data> {
  const fields = plan.root(execution, type);
  return execution.operation.operation === OperationTypeNode.MUTATION
    ? executeSerially(execution, fields)
    : executeFields(execution, fields, execution.rootValue, undefined);
}

function executeSerially(execution: Execution, fields: readonly PlannedField[]): Data | Promise<Data> {
  const next = (data: Data, field: PlannedField): Data | Promise<Data> => {
    const value = executeField(execution, field, execution.rootValue, undefined);
    const set = (result: unknown): Data => {
      data[field.responseName] = result;
      return data;
    };
    return isPromise(value) ? value.then(set) : set(value);
  };
  let data: Data | Promise<Data> = new Answer();
  for (const field of fields) {
    // A then of the data itself can't be mistaken for a promise's: answers hold no functions.
    data = isPromise(data)
      ? (data as Promise<Data>).then((before) => next(before, field))
      : next(data, field);
  }
  return data;
}

function executeFields(
  execution: Execution,
  fields: readonly PlannedField[],
  source: unknown,
  path: Path | undefined,
): Data | Promise<Data> {
  const data = new Answer();
  let pending: Promise<unknown>[] | null = null;
  let names: string[] | null = null;
  try {
    for (const field of fields) {
      const value = executeField(execution, field, source, path);
      data[field.responseName] = value;
      if (isPromise(value)) {
        pending ??= [];
        names ??= [];
        pending.push(value);
        names.push(field.responseName);
      }
    }
  } catch (error) {
    if (pending === null) throw error;
    // The others may fail too, and somebody must have asked.
    return Promise.all(pending)
      .then(() => data)
      .finally(() => {
        throw error;
      });
  }
  if (pending === null || names === null) return data;
  const late = names;
  return Promise.all(pending).then((values) => {
    for (const [index, name] of late.entries()) data[name] = values[index];
    return data;
  });
}

function executeField(
  execution: Execution,
  field: PlannedField,
  source: unknown,
  parent: Path | undefined,
): unknown {
  const { definition, shape } = field;
  // The commonest by far: a scalar that is a property of its object.
  if (shape.kind === 'leaf' && readsProperty(definition, source)) {
    try {
      const value = source[definition.name];
      if (!isLate(value)) return completeLeaf(field, shape, value);
      return settle(execution, field, source, pathTo(field, parent), value);
    } catch (error) {
      return failed(execution, field, shape, pathTo(field, parent), error);
    }
  }
  return settle(execution, field, source, pathTo(field, parent));
}

/** @param property what the field's property holds, if it was read: reading may cost, or count */
function settle(
  execution: Execution,
  field: PlannedField,
  source: unknown,
  path: Path,
  property?: unknown,
): unknown {
  const { shape } = field;
  const info = infoOf(execution, field, path);
  try {
    const result =
      isPromise(property) && typeof property !== 'function'
        ? property
        : resultOf(execution, field, source, info, property !== undefined);
    const completed = isPromise(result)
      ? result.then((value) => complete(execution, field, shape, info, path, value))
      : complete(execution, field, shape, info, path, result);
    return isPromise(completed)
      ? completed.then(undefined, (error) => failed(execution, field, shape, path, error))
      : completed;
  } catch (error) {
    return failed(execution, field, shape, path, error);
  }
}

/** Where null may stand, it does, and the error is told; elsewhere the error goes on to the parent. */
function failed(
  { collectedErrors }: Execution,
  { nodes }: PlannedField,
  { isNonNull }: Shape,
  path: Path,
  thrown: unknown,
): null {
  const error = locatedError(thrown, nodes, pathToArray(path));
  if (isNonNull) throw error;
  collectedErrors.add(error, path);
  return null;
}

// --- completing values ---------------------------------------------------------------------------

function complete(
  execution: Execution,
  field: PlannedField,
  shape: Shape,
  info: GraphQLResolveInfo,
  path: Path,
  value: unknown,
): unknown {
  if (shape.kind === 'leaf') return completeLeaf(field, shape, value);
  if (value instanceof Error) throw value;
  if (value == null) return noValue(field, shape);
  switch (shape.kind) {
    case 'object':
      return completeObject(execution, field, shape.type, info, path, value);
    case 'list':
      return completeList(execution, field, shape.of, info, path, value);
    case 'abstract': {
      const { type } = shape;
      const resolveType = type.resolveType ?? defaultTypeResolver;
      const name = resolveType(value, execution.contextValue, info, type) as unknown;
      const completeAs = (resolved: unknown) =>
        completeObject(
          execution,
          field,
          runtimeType(execution, field, shape, resolved, value),
          info,
          path,
          value,
        );
      return isPromise(name) ? name.then(completeAs) : completeAs(name);
    }
  }
}

function noValue({ parentType, definition }: PlannedField, { isNonNull }: Shape): null {
  if (!isNonNull) return null;
  throw new Error(`Cannot return null for non-nullable field ${parentType.name}.${definition.name}.`);
}

function completeLeaf(field: PlannedField, shape: Shape & { kind: 'leaf' }, value: unknown): unknown {
  if (value instanceof Error) throw value;
  if (value == null) return noValue(field, shape);
  const { type } = shape;
  const serialized = type.serialize(value);
  if (serialized == null) {
    throw new Error(
      `Expected \`${inspect(type)}.serialize(${inspect(value)})\` to ` +
        `return non-nullable value, returned: ${inspect(serialized)}`,
    );
  }
  return serialized;
}

function completeList(
  execution: Execution,
  field: PlannedField,
  shape: Shape,
  info: GraphQLResolveInfo,
  path: Path,
  value: unknown,
): unknown {
  if (
    typeof value !== 'object' ||
    typeof (value as Partial<Iterable<unknown>>)[Symbol.iterator] !== 'function'
  ) {
    throw new GraphQLError(
      `Expected Iterable, but did not find one for field "${info.parentType.name}.${info.fieldName}".`,
    );
  }
  const items: unknown[] = [];
  let isPending = false;
  const pieces = piecesOf(execution, field, shape);
  try {
    for (const item of value as Iterable<unknown>) {
      const known = pieces?.find(item);
      if (known) {
        items.push(known);
        continue;
      }
      const itemPath: Path = { prev: path, key: items.length, typename: undefined };
      const completed = completeItem(execution, field, shape, info, itemPath, item);
      if (isPromise(completed)) isPending = true;
      items.push(pieces ? pieces.made(item, completed) : completed);
    }
  } catch (error) {
    // graphql-js leaves the items before unhandled, and a rejection that is unhandled ends the process.
    if (isPending) Promise.all(items).catch(() => {});
    throw error;
  }
  return isPending ? Promise.all(items) : items;
}

function completeItem(
  execution: Execution,
  field: PlannedField,
  shape: Shape,
  info: GraphQLResolveInfo,
  path: Path,
  item: unknown,
): unknown {
  try {
    const completed = isPromise(item)
      ? item.then((value) => complete(execution, field, shape, info, path, value))
      : complete(execution, field, shape, info, path, item);
    return isPromise(completed)
      ? completed.then(undefined, (error) => failed(execution, field, shape, path, error))
      : completed;
  } catch (error) {
    return failed(execution, field, shape, path, error);
  }
}

function completeObject(
  execution: Execution,
  field: PlannedField,
  type: GraphQLObjectType,
  info: GraphQLResolveInfo,
  path: Path,
  value: unknown,
): unknown {
  const fields = selectionOf(execution, field, type);
  if (!type.isTypeOf) return executeFields(execution, fields, value, path);
  const executeIf = (isOfType: boolean) => {
    if (isOfType) return executeFields(execution, fields, value, path);
    throw new GraphQLError(`Expected value of type "${type.name}" but got: ${inspect(value)}.`, {
      nodes: field.nodes,
    });
  };
  const isOfType = type.isTypeOf(value, execution.contextValue, info);
  return isPromise(isOfType)
    ? isOfType.then(executeIf as (isOfType: unknown) => unknown)
    : executeIf(isOfType);
}
