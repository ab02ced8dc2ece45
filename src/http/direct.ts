import {
  type DocumentNode,
  type ExecutionResult,
  type GraphQLSchema,
  Kind,
  OperationTypeNode,
} from 'graphql';
import { buildExecutionContext } from 'graphql/execution/execute.js';
import { LRUCache } from 'lru-cache';
import type { RequestContext } from '../caller/context.ts';
import { piecesMax, plansMax } from '../shared/limits.ts';
import { isPromise } from '../shared/promise.ts';
import { isRecord } from '../shared/record.ts';
import type { Executor } from './executor.ts';
import { assertWithinLimits, readsSchema } from './operation-limits.ts';
import { type Execution, Pieces, textOf } from './pieces.ts';
import { plainReader, type ReadPlain, variablesOf } from './variables.ts';

/*
 * The way around Apollo Server, for what it has let through before. A call whose document Apollo parsed and
 * validated is executed here, by the same executor and behind the same limits; what succeeds is written as
 * Apollo writes it. Everything else is Apollo's: the first call of a document, what is not the plainest form
 * of a call, what is refused, and errors, which it tells without executing again.
 */

declare module '../caller/context.ts' {
  interface RequestContext {
    /** What was executed already, and has errors to tell. */
    executed?: { result: ExecutionResult };
  }
}

interface Known {
  document: DocumentNode;
  name: string | null;
  /** Its context and variables are each call's own. */
  execution: Execution;
  /** graphql-js does not export its class. */
  Errors: new () => Execution['collectedErrors'];
  readPlain: ReadPlain | null;
  /** Lengths of the lists of a call within limits; shorter lists ask for less. */
  within: readonly number[] | null;
}

export interface Direct {
  /** Told of each operation that Apollo lets through. */
  learn(source: string, document: DocumentNode): void;
  /** @returns the call's answer, or null where it is to be Apollo's */
  answer(body: unknown, context: () => RequestContext): string | null | Promise<string | null>;
}

export function createDirect({ schema, executor }: { schema: GraphQLSchema; executor: Executor }): Direct {
  const documents = new LRUCache<string, Known>({ max: plansMax });
  const pieces = new Pieces(piecesMax);

  /** @throws what is wrong with them, which Apollo's plugins will find too */
  function checkedVariables(known: Known, given: Record<string, unknown>): Record<string, unknown> {
    const plain = known.readPlain?.(given);
    if (plain && known.within?.every((most, n) => (plain.lengths[n] ?? 0) <= most)) return plain.variables;
    const { operation } = known.execution;
    const variables = variablesOf(schema, operation, given);
    assertWithinLimits(schema, known.document, operation, variables);
    if (plain) known.within = plain.lengths;
    return variables;
  }

  return {
    learn(source, document) {
      const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
      const [operation] = operations;
      if (operation?.kind !== Kind.OPERATION_DEFINITION || operations.length > 1) return;
      if (operation.operation === OperationTypeNode.SUBSCRIPTION || readsSchema(document, operation)) return;
      if (documents.has(source)) return;
      // It is made for no call, so it has no variables.
      const unasked = { ...operation, variableDefinitions: [] };
      const made = buildExecutionContext({
        schema,
        document: {
          ...document,
          definitions: document.definitions.map((definition) =>
            definition === operation ? unasked : definition,
          ),
        },
      });
      if (!('schema' in made)) return;
      documents.set(source, {
        document,
        name: operation.name?.value ?? null,
        execution: { ...made, operation, pieces, hasPieces: false },
        Errors: made.collectedErrors.constructor as Known['Errors'],
        readPlain: plainReader(schema, operation),
        within: null,
      });
    },

    answer(body, contextOf) {
      const call = callIn(body);
      const known = call && documents.get(call.query);
      if (!known || (call.operationName != null && call.operationName !== known.name)) return null;
      let variableValues: Record<string, unknown>;
      try {
        variableValues = checkedVariables(known, call.variables);
      } catch {
        return null;
      }
      const context = contextOf();
      context.call.operation = known.name;
      context.beginOperation(known.execution.operation.operation);
      const execution: Execution = {
        ...known.execution,
        contextValue: context,
        variableValues,
        collectedErrors: new known.Errors(),
      };
      const written = (result: ExecutionResult): string | null => {
        if (result.errors) {
          context.executed = { result };
          return null;
        }
        const data = execution.hasPieces ? textOf(result.data) : JSON.stringify(result.data);
        return `{"data":${data}}\n`;
      };
      const result = executor.run(known.document, execution);
      return isPromise(result) ? result.then(written) : written(result);
    },
  };
}

interface Call {
  query: string;
  variables: Record<string, unknown>;
  operationName: unknown;
}

/** The call in a body of the plainest form; null for any other. */
function callIn(body: unknown): Call | null {
  if (!isRecord(body)) return null;
  const { query, variables, operationName, extensions } = body;
  if (typeof query !== 'string' || extensions != null) return null;
  if (variables != null && !isRecord(variables)) return null;
  return { query, variables: variables ?? {}, operationName };
}

/** Who names no media type, or one of these, is answered with this one. */
export const isPlainlyAccepted = (accept: string | undefined): boolean =>
  accept === undefined || accept === '*/*' || accept === 'application/json';
