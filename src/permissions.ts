import { createRequire } from 'node:module';
import type { GraphQLSchema } from 'graphql';
import type { IRules } from 'graphql-shield';
import type { Caller, Scope } from './caller/caller.ts';
import { callerOf, type RequestContext } from './caller/context.ts';
import { ApiError, forbidden } from './shared/errors.ts';
import { tellOf } from './shared/field-facts.ts';
import { assertMayExplain, assertMayRunSteps } from './signin/signin.access.ts';
import type { ApplicationRow, TenantRow } from './tenancy/rows.ts';
import { assertMayReadApplications, assertMayReadTenants } from './tenancy/tenancy.access.ts';
import type { TenantFilter } from './tenancy/tenancy.loader.ts';
import {
  assertActsForUser,
  assertMayDeleteFactors,
  assertMayReadApplicationStats,
  assertMayReadUser,
} from './user/user.access.ts';
import type { UserRow } from './user/user.type.ts';
import { assertMayManageWebhooks } from './webhook/webhook.access.ts';

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

type Check<Parent, Args> = (context: RequestContext, parent: Parent, args: Args) => void;

/** A rule is a check that throws; nothing is cached, since checks read parents and arguments. */
function guard<Parent = unknown, Args = unknown>(check: Check<Parent, Args>) {
  const made = rule({ cache: 'no_cache' })(async (parent, args, context: RequestContext) => {
    try {
      check(context, parent as Parent, args as Args);
      return true;
    } catch (error) {
      if (error instanceof ApiError) return error;
      throw error;
    }
  });
  checks.set(made, check as Check<unknown, unknown>);
  return made;
}

/** What each rule checks. */
const checks = new WeakMap<object, Check<unknown, unknown>>();

/** A guard for callers with a bearer token; without one, UNAUTHENTICATED. */
const when = <Parent = unknown, Args = unknown>(
  check: (caller: Caller, parent: Parent, context: RequestContext, args: Args) => void,
) => guard<Parent, Args>((context, parent, args) => check(callerOf(context), parent, context, args));

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

const readsEffectivePolicy = guard<TenantRow>((context, tenant) => {
  // Whoever holds an MFA token may see what applies in its step.
  if (context.shownByToken.has(tenant)) return;
  const caller = callerOf(context);
  if (!context.answered.has(tenant) && !caller.isOf(tenant)) caller.assertMay('mfa-policy:read');
});

const readsUser = when<unknown, { id: string; tenantId?: string | null }>((caller, _parent, _context, user) =>
  assertMayReadUser(caller, user),
);

/** A user's MFA: of one's own, of a user that an operation answered, or with the scope. */
const readsMfa = when<UserRow>((caller, user, { answered }) => {
  if (!answered.has(user)) assertMayReadUser(caller, user);
});

const managesWebhooks = when(assertMayManageWebhooks);

/** A token authorizes the calls of its step; without one, a signed-in user acts for itself. */
const inStepOrSelf = guard<unknown, { input: { mfaToken?: string | null } }>(
  (context, _parent, { input }) => {
    if (input.mfaToken == null) assertActsForUser(callerOf(context));
  },
);

/** SDL and introspection: open in development, else to who may read the schema. */
export function assertMayReadSchema(context: RequestContext, isOpen: boolean): void {
  if (!isOpen && !callerOf(context).may('schema:read')) {
    throw forbidden('Reading the schema needs the scope schema:read here.');
  }
}

const readsSchema = (isOpen: boolean) => guard((context) => assertMayReadSchema(context, isOpen));

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
    user: readsUser,
    introspectMfaToken: allow,
    previewApplicationMfaPolicy: withScope('mfa-policy:read'),
    previewTenantMfaPolicy: withScope('mfa-policy:read'),
    previewTenantMfaPolicyOverrides: withScope('mfa-policy:read'),
    webhookEndpoints: managesWebhooks,
    webhookDeliveries: managesWebhooks,
    explainMfa: when(assertMayExplain),
    auditEvents: withScope('audit:read'),
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
    setTenantMfaPolicyOverrides: withScope('mfa-policy:write'),
    startMfa: when(assertMayRunSteps),
    enrollTotpAuthFactor: inStepOrSelf,
    verifyTotpAuthFactorChallenge: inStepOrSelf,
    enrollRecoveryCodeAuthFactor: inStepOrSelf,
    verifyRecoveryCodeAuthFactorChallenge: inStepOrSelf,
    verifyMfaEnrollment: when(assertMayRunSteps),
    verifyMfaChallenge: when(assertMayRunSteps),
    deleteAuthFactor: when(assertMayDeleteFactors),
    createWebhookEndpoint: managesWebhooks,
    updateWebhookEndpoint: managesWebhooks,
    rotateWebhookSecret: managesWebhooks,
    deleteWebhookEndpoint: managesWebhooks,
    replayWebhookDeliveries: managesWebhooks,
    resetUserMfa: withScope('auth-factor:delete'),
    exemptUserFromMfa: withScope('mfa-exemption:write'),
    revokeMfaExemption: withScope('mfa-exemption:write'),
  },
  Application: {
    id: allow,
    displayName: allow,
    overrideRule: answeredOr('mfa-policy:read'),
    mfaPolicy: answeredOr('mfa-policy:read'),
    tenants: readsTenants,
    mfaStats: when(assertMayReadApplicationStats),
  },
  Tenant: {
    id: allow,
    displayName: allow,
    application: authenticated,
    mfaPolicyOverride: answeredOr('mfa-policy:read'),
    effectivePolicy: readsEffectivePolicy,
    users: withScope('auth-factor:read'),
    mfaStats: withScope('auth-factor:read'),
  },
  User: {
    id: allow,
    tenantId: allow,
    mfa: readsMfa,
  },
  // What the fields above lead to; reaching it was the question.
  Viewer: allow,
  MfaPolicy: allow,
  MfaPolicyOverride: allow,
  EffectivePolicy: allow,
  MfaStats: allow,
  PolicyChangePreview: allow,
  PageInfo: allow,
  AuditEvent: allow,
  AuditEventConnection: allow,
  AuditEventEdge: allow,
  ApplicationConnection: allow,
  ApplicationEdge: allow,
  TenantConnection: allow,
  TenantEdge: allow,
  ApplicationPayload: allow,
  TenantPayload: allow,
  TenantsPayload: allow,
  DeletedPayload: allow,
  InvalidInput: allow,
  InvalidPolicy: allow,
  NotFound: allow,
  AlreadyExists: allow,
  VersionConflict: allow,
  UserMfa: allow,
  AuthFactor: allow,
  MfaExemption: allow,
  UserConnection: allow,
  UserEdge: allow,
  UserPayload: allow,
  MfaDecision: allow,
  MfaTokenInfo: allow,
  MfaExplanation: allow,
  ExplainedRule: allow,
  TotpEnrollment: allow,
  FactorVerified: allow,
  RecoveryCodeEnrollment: allow,
  MfaCompleted: allow,
  InvalidCode: allow,
  TooManyAttempts: allow,
  InvalidMfaToken: allow,
  MfaNotSatisfied: allow,
  FactorNotAllowed: allow,
  StepUpRequired: allow,
  WebhookEndpoint: allow,
  WebhookDelivery: allow,
  WebhookDeliveryConnection: allow,
  WebhookDeliveryEdge: allow,
  WebhookEndpointPayload: allow,
  WebhookSecretPayload: allow,
  WebhookDeliveriesReplayed: allow,
  _Service: allow,
});

type Middleware = Record<string, Record<string, unknown>>;

const rootTypes: ReadonlySet<string> = new Set(['Query', 'Mutation']);

const atOnce =
  (check: Check<unknown, unknown>) =>
  (
    resolve: (...args: unknown[]) => unknown,
    parent: unknown,
    args: unknown,
    context: RequestContext,
    info: unknown,
  ) => {
    check(context, parent, args);
    return resolve(parent, args, context, info);
  };

/**
 * Puts the map before the schema's resolvers. Fields whose rule is `allow` are left unwrapped: they cost
 * nothing. Objects stand in lists of hundreds, so their fields are checked at once: the same checks, without
 * the promises that shield makes of each.
 */
export function guarded(schema: GraphQLSchema, rules: PermissionMap): GraphQLSchema {
  const generator = shield<unknown, RequestContext>(rules as IRules, {
    fallbackRule: deny,
    fallbackError: forbidden('This is not allowed.'),
    // What resolvers throw passes through unchanged and is masked where answers leave the server.
    allowExternalErrors: true,
  });
  const middleware = generator.generate(schema) as Middleware;
  const guards: [type: string, field: string, guard: Check<unknown, unknown>][] = [];
  for (const [type, fields] of Object.entries(rules)) {
    for (const field of Object.keys(middleware[type] ?? {})) {
      const ruling = fields === allow ? allow : (fields as Record<string, Rule>)[field];
      const check = ruling && checks.get(ruling);
      if (ruling === allow) delete middleware[type]?.[field];
      else if (check && !rootTypes.has(type)) {
        middleware[type] = { ...middleware[type], [field]: atOnce(check) };
        guards.push([type, field, check]);
      }
    }
  }
  const result = applyMiddleware(schema, middleware as Parameters<typeof applyMiddleware>[1]);
  for (const [type, field, guard] of guards) tellOf(result, type, field, { guard });
  return result;
}

/** By type, the fields that may be denied. Apollo's own two name no resource of ours. */
export const guardedFields = (rules: PermissionMap): Record<string, string[]> =>
  Object.fromEntries(
    Object.entries(rules).map(([type, fields]) => [
      type,
      Object.entries(fields === allow ? {} : fields)
        .filter(([name, rule]) => rule !== allow && !name.startsWith('_'))
        .map(([name]) => name),
    ]),
  );
