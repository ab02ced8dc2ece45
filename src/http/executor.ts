import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  type GraphQLError,
  type GraphQLObjectType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  OperationTypeNode,
} from 'graphql';
import { assertValidExecutionArguments, buildExecutionContext } from 'graphql/execution/execute.js';
import { planFieldsMax, plansMax } from '../shared/limits.ts';
import { isPromise } from '../shared/promise.ts';
import { executePlan } from './execute-plan.ts';
import type { Execution } from './pieces.ts';
import { Plan, selectsByVariables } from './plan.ts';

export interface Executor {
  /** As graphql-js' `execute`, to the last error. */
  execute(args: Omit<ExecutionArgs, 'schema'>): ExecutionResult | Promise<ExecutionResult>;
  /** The same, of what is no subscription and has its variables. */
  run(document: DocumentNode, execution: Execution): ExecutionResult | Promise<ExecutionResult>;
  /** Operations whose plan is kept; the last used is the last. */
  readonly planned: readonly OperationDefinitionNode[];
}

/**
 * Executes operations on one schema by plans. A plan is kept from an operation's second execution on, at most
 * `plansMax` of them and none of more than `planFieldsMax` fields: an operation that comes once costs
 * what it costs graphql-js, and leaves nothing.
 */
export function createExecutor(schema: GraphQLSchema): Executor {
  const seen = new WeakSet<OperationDefinitionNode>();
  /** The last used is the last in order; null where each execution selects other fields. */
  const plans = new Map<OperationDefinitionNode, Plan | null>();

  function planOf(document: DocumentNode, operation: OperationDefinitionNode): Plan {
    if (!seen.has(operation)) {
      seen.add(operation);
      return new Plan();
    }
    const known = plans.get(operation);
    const plan = known === undefined && !selectsByVariables(document) ? new Plan() : (known ?? null);
    plans.delete(operation);
    const kept = plan !== null && plan.size > planFieldsMax ? null : plan;
    if (plan) plan.isKept = kept !== null;
    plans.set(operation, kept);
    const [oldest] = plans.size > plansMax ? plans.keys() : [];
    if (oldest !== undefined) plans.delete(oldest);
    return plan ?? new Plan();
  }

  function run(document: DocumentNode, execution: Execution): ExecutionResult | Promise<ExecutionResult> {
    const { operation, collectedErrors } = execution;
    const type = schema.getRootType(operation.operation) as GraphQLObjectType;
    const answer = (data: Record<string, unknown> | null): ExecutionResult =>
      collectedErrors.errors.length === 0 ? { data } : { errors: collectedErrors.errors, data };
    const fail = (error: unknown): ExecutionResult => {
      collectedErrors.add(error as GraphQLError, undefined);
      return answer(null);
    };
    try {
      const data = executePlan(execution, planOf(document, operation), type);
      return isPromise(data) ? data.then(answer, fail) : answer(data);
    } catch (error) {
      return fail(error);
    }
  }

  return {
    get planned() {
      return [...plans].filter(([, plan]) => plan !== null).map(([operation]) => operation);
    },
    run,
    execute(given) {
      const args = { ...given, schema };
      const { document, variableValues } = args;
      assertValidExecutionArguments(schema, document, variableValues);
      const execution = buildExecutionContext(args);
      if (!('schema' in execution)) return { errors: execution };
      const { operation } = execution.operation;
      const type = schema.getRootType(operation);
      return type == null || operation === OperationTypeNode.SUBSCRIPTION
        ? execute(args)
        : run(document, execution);
    },
  };
}
