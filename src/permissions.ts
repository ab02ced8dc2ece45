import { createRequire } from 'node:module';
import type { GraphQLSchema } from 'graphql';
import type { IRules } from 'graphql-shield';
import type { Caller, Scope } from './caller/caller.ts';
import { callerOf, type RequestContext } from './caller/context.ts';
import { ApiError, forbidden } from './shared/errors.ts';
import type { ApplicationRow, TenantRow } from './tenancy/rows.ts';
import { assertMayReadApplications, assertMayReadTenants } from './tenancy/tenancy.access.ts';
import type { TenantFilter } from './tenancy/tenancy.loader.ts';

// shield's ESM build imports what Node 23 removed; its CommonJS build works, with graphql-middleware
// from the same loader.
const require = createRequire(import.meta.url);
const { allow, deny, rule, shield } = require('graphql-shield') as typeof import('graphql-shield');
const { applyMiddleware } = require('graphql-middleware') as typeof import('graphql-middleware');

/*
 * The first wall: who may call which field. Every root field and every object type is named here
 * once; what is not named is denied. Whether the thing asked for exists for the caller is the
 * business of the other two walls (services and SQL).
 */

type Check<Parent, Args> = (caller: Caller, parent: Parent, context: RequestContext, args: Args) => void;

/** A rule is a check that throws; nothing is cached, since checks read parents and arguments. */
function when<Parent = unknown, Args = unknown>(check: Check<Parent, Args>) {
  return rule({ cache: 'no_cache' })(async (parent, args, context: RequestContext) => {
    try {
      check(callerOf(context), parent as Parent, context, args as Args);
      return true;
    } catch (error) {
      if (error instanceof ApiError) return error;
      throw error;
    }
  });
}

const authenticated = when(() => {});
const withScope = (scope: Scope) => when((caller) => caller.assertMay(scope));

/** Whoever may call an operation reads the object it answers whole; other objects need the scope. */
const answeredOr = (scope: Scope) =>
  when<object>((caller, parent, { answered }) => {
    if (!answered.has(parent)) caller.assertMay(scope);
  });

const readsTenants = when<ApplicationRow, { filter?: TenantFilter | null }>(
  (caller, application, { answered }, { filter }) => {
    // Which tenants override is theirs to tell, or the policy reader's.
    if (!answered.has(application) || filter?.overrideEnabled != null) caller.assertMay('mfa-policy:read');
  },
);

const readsEffectivePolicy = when<TenantRow>((caller, tenant, { answered }) => {
  if (!answered.has(tenant) && !caller.isOf(tenant)) caller.assertMay('mfa-policy:read');
});

/** SDL and introspection: open in development, else to who may read the schema. */
export function assertMayReadSchema(context: RequestContext, isOpen: boolean): void {
  if (!isOpen && !callerOf(context).may('schema:read')) {
    throw forbidden('Reading the schema needs the scope schema:read here.');
  }
}

const readsSchema = (isOpen: boolean) =>
  rule({ cache: 'no_cache' })(async (_parent, _args, context: RequestContext) => {
    try {
      assertMayReadSchema(context, isOpen);
      return true;
    } catch (error) {
      return error as Error;
    }
  });

export interface PermissionOptions {
  /** Whether anyone may read the schema. */
  introspection: boolean;
}

type Rule = ReturnType<typeof when> | typeof allow;

/** By type, the rule of each field, or one rule for all of them. */
export type PermissionMap = Record<string, Rule | Record<string, Rule>>;

export const permissionMap = ({ introspection }: PermissionOptions): PermissionMap => ({
  Query: {
    viewer: authenticated,
    application: when(assertMayReadApplications),
    applications: when(assertMayReadApplications),
    tenant: when(assertMayReadTenants),
    tenants: when(assertMayReadTenants),
    effectivePolicy: when(assertMayReadTenants),
    _entities: authenticated,
    _service: readsSchema(introspection),
  },
  Mutation: {
    createApplication: withScope('application:write'),
    updateApplication: withScope('application:write'),
    deleteApplication: withScope('application:write'),
    createTenant: withScope('tenant:write'),
    updateTenant: withScope('tenant:write'),
    deleteTenant: withScope('tenant:write'),
    updateApplicationMfaPolicy: withScope('mfa-policy:write'),
    updateTenantMfaPolicy: withScope('mfa-policy:write'),
    setTenantMfaPolicyOverride: withScope('mfa-policy:write'),
  },
  Application: {
    id: allow,
    displayName: allow,
    overrideRule: answeredOr('mfa-policy:read'),
    mfaPolicy: answeredOr('mfa-policy:read'),
    tenants: readsTenants,
  },
  Tenant: {
    id: allow,
    displayName: allow,
    application: allow,
    mfaPolicyOverride: answeredOr('mfa-policy:read'),
    effectivePolicy: readsEffectivePolicy,
  },
  // What the fields above lead to; reaching it was the question.
  Viewer: allow,
  MfaPolicy: allow,
  MfaPolicyOverride: allow,
  EffectivePolicy: allow,
  PageInfo: allow,
  ApplicationConnection: allow,
  ApplicationEdge: allow,
  TenantConnection: allow,
  TenantEdge: allow,
  ApplicationPayload: allow,
  TenantPayload: allow,
  DeletedPayload: allow,
  InvalidInput: allow,
  InvalidPolicy: allow,
  NotFound: allow,
  AlreadyExists: allow,
  VersionConflict: allow,
  _Service: allow,
});

type Middleware = Record<string, Record<string, unknown>>;

/** Puts the map before the schema's resolvers. Fields whose rule is `allow` are left unwrapped: they cost nothing. */
export function guarded(schema: GraphQLSchema, rules: PermissionMap): GraphQLSchema {
  const generator = shield<unknown, RequestContext>(rules as IRules, {
    fallbackRule: deny,
    fallbackError: forbidden('This is not allowed.'),
    // What resolvers throw passes through unchanged and is masked where answers leave the server.
    allowExternalErrors: true,
  });
  const middleware = generator.generate(schema) as Middleware;
  for (const [type, fields] of Object.entries(rules)) {
    for (const field of Object.keys(middleware[type] ?? {})) {
      if (fields === allow || (fields as Record<string, unknown>)[field] === allow)
        delete middleware[type]?.[field];
    }
  }
  return applyMiddleware(schema, middleware as Parameters<typeof applyMiddleware>[1]);
}
