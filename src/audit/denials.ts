import { defaultFieldResolver, type GraphQLFieldResolver, type GraphQLSchema } from 'graphql';
import type { RequestContext } from '../caller/context.ts';
import { ApiError } from '../shared/errors.ts';
import { deniedEventsMax } from '../shared/limits.ts';
import { isId, isUserId } from '../shared/text.ts';
import { NotFound } from '../shared/user-error.type.ts';
import { recordAs } from './audit.service.ts';

/*
 * Denials in the record (security.md LOG-2): what a caller lacks the scope for, and what a change
 * named that does not exist for the caller. They stand in the record of the caller's own application;
 * a caller of the whole installation has none.
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

const recording =
  (field: string, resolve: Resolve): Resolve =>
  async (parent, args, context, info) => {
    const result = await outcomeOf(() => resolve(parent, args, context, info));
    if (result instanceof NotFound) await recordDenial(context, field, 'NOT_FOUND', args);
    if (result instanceof ApiError && result.code === 'FORBIDDEN') {
      await recordDenial(context, field, result.code, { ...idOf(parent), ...args });
    }
    return result;
  };

/** A field fails by throwing an error or by answering one (as shield does): GraphQL makes no difference. */
async function outcomeOf(work: () => unknown): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
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
  const ids = ['id', 'applicationId', 'tenantId'].map((name) => [name, args[name], isId] as const);
  const first = Array.isArray(args['tenantIds']) ? args['tenantIds'][0] : undefined;
  return Object.fromEntries(
    [
      ...ids,
      // Of a list the first stands for all, which are refused together.
      ['tenantIds', first, isId] as const,
      ['userId', args['userId'], isUserId] as const,
    ].flatMap(([name, value, isWellFormed]) =>
      typeof value === 'string' && isWellFormed(value) && !looksSecret(value) ? [[name, value]] : [],
    ),
  );
}

/** A code, recovery code or token that was sent in the place of an id. */
const looksSecret = (text: string): boolean =>
  /^\d{6}$|^[A-Za-z0-9_-]{43}\.|^eyJ|^([0-9A-Za-z]{4}-){4}[0-9A-Za-z]{4}$/.test(text);
