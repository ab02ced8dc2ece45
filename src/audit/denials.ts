import { defaultFieldResolver, type GraphQLFieldResolver, type GraphQLSchema } from 'graphql';
import type { RequestContext } from '../caller/context.ts';
import { ApiError } from '../shared/errors.ts';
import { deniedEventsMax } from '../shared/limits.ts';
import { isPromise } from '../shared/promise.ts';
import { isId, isUserId, isUuid } from '../shared/text.ts';
import { NotFound } from '../shared/user-error.type.ts';
import { recordAs } from './audit.service.ts';
import { looksSecret } from './looks-secret.ts';

/*
 * Denials in the record (security.md LOG-2): what a caller lacks the scope for, and what a change, a
 * preview or explainMfa named that does not exist for the caller. They stand in the record of the
 * caller's own application; a caller of the whole installation has none.
 *
 * Other reads that find nothing are no denials: absent and foreign answer alike, so they tell nothing,
 * and a page that asks for what is gone would write into the record whenever it is shown.
 */

type Resolve = GraphQLFieldResolver<unknown, RequestContext, Record<string, unknown>>;

/** Names of fields by their type, of all that can be denied. */
export type DeniableFields = Record<string, readonly string[]>;

/** Lets the fields of a schema record what they deny. */
export function recordDenials(schema: GraphQLSchema, deniable: DeniableFields): GraphQLSchema {
  for (const [typeName, names] of Object.entries(deniable)) {
    const type = schema.getType(typeName);
    if (type === undefined || !('getFields' in type)) continue;
    const fields = type.getFields();
    for (const name of names) {
      const field = fields[name];
      if (field && 'resolve' in field) {
        field.resolve = recording(`${typeName}.${name}`, (field.resolve ?? defaultFieldResolver) as Resolve);
      }
    }
  }
  return schema;
}

/** What comes at once is answered at once: objects stand in lists of hundreds, and a promise for each costs. */
const recording =
  (field: string, resolve: Resolve): Resolve =>
  (parent, args, context, info) => {
    const judge = (outcome: unknown) => {
      const denial = denialIn(field, outcome);
      if (denial === null) return outcome;
      const named = denial === 'FORBIDDEN' ? { ...idOf(parent), ...args } : args;
      return recordDenial(context, field, denial, named).then(() => outcome);
    };
    try {
      const result = resolve(parent, args, context, info);
      return isPromise(result) ? result.then(judge, (error) => judge(errorIn(error))) : judge(result);
    } catch (error) {
      return judge(errorIn(error));
    }
  };

/** A field fails by throwing an error or by answering one (as shield does): GraphQL makes no difference. */
function errorIn(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  throw thrown;
}

function denialIn(field: string, outcome: unknown): 'FORBIDDEN' | 'NOT_FOUND' | null {
  if (outcome instanceof NotFound || (outcome === null && field === 'Query.explainMfa')) return 'NOT_FOUND';
  return outcome instanceof ApiError && outcome.code === 'FORBIDDEN' ? 'FORBIDDEN' : null;
}

async function recordDenial(
  context: RequestContext,
  field: string,
  code: 'FORBIDDEN' | 'NOT_FOUND',
  args: Record<string, unknown>,
): Promise<void> {
  const { caller, denied } = context;
  if (caller === null || caller.applicationId === null) return;
  const named = namedIn({ ...args, ...(args['input'] as object | undefined) });
  if (Object.keys(named).length === 0) return;
  const detail = { field, code, ...named };
  const key = JSON.stringify(detail);
  // A list that asks the same of each of its rows is one denial.
  if (denied.has(field) || denied.has(key) || denied.size >= deniedEventsMax) return;
  denied.add(key);
  if (!/^(Query|Mutation)\./.test(field)) denied.add(field);
  await recordAs(context, context.em, caller.subject, [
    {
      action: 'access.denied',
      applicationId: caller.applicationId,
      ...(caller.tenantId !== null && { tenantId: caller.tenantId }),
      detail,
    },
  ]);
}

const idOf = (parent: unknown): { id?: unknown } =>
  typeof parent === 'object' && parent !== null && 'id' in parent ? { id: parent.id } : {};

/** The things that a call named by well-formed ids; nothing else of what a caller wrote is kept. */
function namedIn(args: Record<string, unknown>): Record<string, string> {
  const [first]: unknown[] = Array.isArray(args['tenantIds']) ? args['tenantIds'] : [];
  return Object.fromEntries(
    (
      [
        ['id', args['id'], isId],
        ['applicationId', args['applicationId'], isId],
        ['tenantId', args['tenantId'], isId],
        // Of a list the first stands for all, which are refused together.
        ['tenantIds', first, isId],
        ['userId', args['userId'], isUserId],
        ['endpointId', args['endpointId'], isUuid],
      ] as const
    ).flatMap(([name, value, isWellFormed]) =>
      typeof value === 'string' && isWellFormed(value)
        ? [[name, looksSecret(value) ? '(withheld)' : value]]
        : [],
    ),
  );
}
