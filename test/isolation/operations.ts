import { expect } from '@jest/globals';
import type { Scope } from '../../src/caller/caller.ts';
import { uniqueId } from '../setup/harness.ts';
import { type Ground, type Kind, knownUser, type Place, type Target } from './callers.ts';

/*
 * What every operation asks of its caller, as rules.md section 3 says it. The matrix is generated
 * from this table; an operation of the schema that is missing here fails it.
 */

export interface Operation {
  /** The root field; its name, or its name and what tells its rows apart. */
  name: string;
  document: string;
  variables(target: Target, ground: Ground): object;
  /** Without it: FORBIDDEN. None: any token will do. */
  scope?: Scope;
  /** Another scope that will do, to callers of one kind of boundary. */
  orScope?: { scope: Scope; only: Kind };
  /** Also allowed without the scope, to callers of a tenant. */
  openToTenants?: true;
  /** Other boundaries: FORBIDDEN. */
  only?: 'installation' | 'application' | 'tenant';
  /** To callers of a tenant: FORBIDDEN. */
  notForTenants?: true;
  /** Answered without a bearer token too: an MFA token, good or bad, speaks for itself. */
  openToTokens?: true;
  /** What the caller must reach: the application as a whole, at least its tenant's application, the tenant. */
  about: 'application' | 'application-or-its-tenant' | 'tenant' | 'nothing';
  /** What stands under `result` where the caller reaches the target. */
  inside(target: Target, ground: Ground, kind: Kind): unknown;
  /** What stands there where it does not. */
  outside?: unknown;
  /** What a call uses up, so that each needs its own. */
  spends?: 'application' | 'tenant' | 'endpoint';
}

const notFound = { __typename: 'NotFound', code: 'NOT_FOUND' };

const invalidMfaToken = { __typename: 'InvalidMfaToken', code: 'INVALID_MFA_TOKEN' };

const payload = (type: string, fields: object) => ({ __typename: type, ...fields });
const ofTenant = ({ tenantId }: Target) => payload('TenantPayload', { tenant: { id: tenantId } });
const ofApplication = ({ applicationId }: Target) =>
  payload('ApplicationPayload', { application: { id: applicationId } });

const inputType = (field: string): string => `${field[0]?.toUpperCase()}${field.slice(1)}Input`;

/** A key that is one, whatever the id is. */
const keyOf = (id: string): string => `matrix ${Buffer.from(id).toString('base64url').slice(0, 100)}`;

/** A mutation of one input, of whose answer the type, the id and the code are asked. */
function mutation(field: string, thing: 'application' | 'tenant' | 'id'): string {
  const part = {
    application: '... on ApplicationPayload { application { id } }',
    tenant: '... on TenantPayload { tenant { id } }',
    id: '... on DeletedPayload { id }',
  }[thing];
  return `mutation ($input: ${inputType(field)}!) {
    result: ${field}(input: $input) { __typename ${part} ... on UserError { code message } }
  }`;
}

/** What administrators do to a user. */
function administration(name: string, scope: Scope, input: () => object): Operation {
  return {
    name,
    document: `mutation ($input: ${name[0]?.toUpperCase()}${name.slice(1)}Input!) {
      result: ${name}(input: $input) {
        __typename ... on UserPayload { user { tenantId } } ... on UserError { code message }
      }
    }`,
    variables: ({ tenantId }) => ({ input: { tenantId, userId: knownUser, ...input() } }),
    scope,
    about: 'tenant',
    inside: ({ tenantId }) => payload('UserPayload', { user: { tenantId } }),
    outside: notFound,
  };
}

const entity = (type: 'Application' | 'Tenant', idOf: (target: Target) => string) => ({
  document: `query ($id: _Any!) { result: _entities(representations: [$id]) { ... on ${type} { id displayName } } }`,
  variables: (target: Target) => ({ id: { __typename: type, id: idOf(target) } }),
  inside: (target: Target) => [{ id: idOf(target) }],
  outside: [null],
});

export const operations: readonly Operation[] = [
  {
    name: 'viewer',
    document: '{ result: viewer { application { id } tenant { id } } }',
    variables: () => ({}),
    about: 'nothing',
    inside: (_target, { own }, kind) => ({
      application: kind === 'installation' ? null : { id: own.applicationId },
      tenant: kind === 'tenant' ? { id: own.tenantId } : null,
    }),
  },
  {
    name: 'application',
    document: 'query ($id: ID!) { result: application(id: $id) { id } }',
    variables: ({ applicationId }) => ({ id: applicationId }),
    scope: 'mfa-policy:read',
    about: 'application-or-its-tenant',
    inside: ({ applicationId }) => ({ id: applicationId }),
    outside: null,
  },
  {
    name: 'applications',
    document: 'query ($search: String) { result: applications(search: $search) { nodes { id } totalCount } }',
    variables: (_target, { search }) => ({ search }),
    scope: 'mfa-policy:read',
    about: 'nothing',
    inside: (_target, { own, foreign }, kind) =>
      kind === 'installation'
        ? { nodes: [{ id: foreign.applicationId }, { id: own.applicationId }], totalCount: 2 }
        : { nodes: [{ id: own.applicationId }], totalCount: 1 },
  },
  {
    name: 'tenant',
    document: 'query ($id: ID!) { result: tenant(id: $id) { id } }',
    variables: ({ tenantId }) => ({ id: tenantId }),
    scope: 'mfa-policy:read',
    openToTenants: true,
    about: 'tenant',
    inside: ({ tenantId }) => ({ id: tenantId }),
    outside: null,
  },
  {
    name: 'tenants',
    document: 'query ($id: ID!) { result: tenants(ids: [$id]) { id } }',
    variables: ({ tenantId }) => ({ id: tenantId }),
    scope: 'mfa-policy:read',
    openToTenants: true,
    about: 'tenant',
    inside: ({ tenantId }) => [{ id: tenantId }],
    outside: [null],
  },
  {
    name: 'effectivePolicy',
    document: 'query ($id: ID!) { result: effectivePolicy(tenantId: $id) { tenant { id } totpEnabled } }',
    variables: ({ tenantId }) => ({ id: tenantId }),
    scope: 'mfa-policy:read',
    openToTenants: true,
    about: 'tenant',
    inside: ({ tenantId }) => ({ tenant: { id: tenantId }, totpEnabled: true }),
    outside: null,
  },
  {
    name: 'previewApplicationMfaPolicy',
    document: `query ($id: ID!) { result: previewApplicationMfaPolicy(applicationId: $id, policy: { issuer: "Matrix" }) {
      __typename ... on PolicyChangePreview { before { version } } ... on UserError { code message } } }`,
    variables: ({ applicationId }) => ({ id: applicationId }),
    scope: 'mfa-policy:read',
    about: 'application',
    inside: () => payload('PolicyChangePreview', { before: null }),
    outside: notFound,
  },
  {
    name: 'previewTenantMfaPolicy',
    document: `query ($id: ID!) { result: previewTenantMfaPolicy(tenantId: $id, enabled: true) {
      __typename ... on PolicyChangePreview { before { tenant { id } } } ... on UserError { code message } } }`,
    variables: ({ tenantId }) => ({ id: tenantId }),
    scope: 'mfa-policy:read',
    about: 'tenant',
    inside: ({ tenantId }) => payload('PolicyChangePreview', { before: { tenant: { id: tenantId } } }),
    outside: notFound,
  },
  {
    name: '_entities of Application',
    ...entity('Application', ({ applicationId }) => applicationId),
    scope: 'mfa-policy:read',
    about: 'application-or-its-tenant',
  },
  {
    name: '_entities of Tenant',
    ...entity('Tenant', ({ tenantId }) => tenantId),
    scope: 'mfa-policy:read',
    openToTenants: true,
    about: 'tenant',
  },
  {
    name: 'createApplication',
    document: mutation('createApplication', 'application'),
    variables: () => ({ input: { displayName: 'Made by the matrix' } }),
    scope: 'application:write',
    only: 'installation',
    about: 'nothing',
    inside: () => ({ __typename: 'ApplicationPayload' }),
  },
  {
    name: 'updateApplication',
    document: mutation('updateApplication', 'application'),
    variables: ({ applicationId }) => ({ input: { id: applicationId, overrideRule: 'ANY' } }),
    scope: 'application:write',
    about: 'application',
    inside: ofApplication,
    outside: notFound,
  },
  {
    name: 'deleteApplication',
    document: mutation('deleteApplication', 'id'),
    variables: ({ applicationId }) => ({ input: { id: applicationId } }),
    scope: 'application:write',
    only: 'installation',
    about: 'application',
    spends: 'application',
    inside: ({ applicationId }) => payload('DeletedPayload', { id: applicationId }),
    outside: notFound,
  },
  {
    name: 'createTenant',
    document: mutation('createTenant', 'tenant'),
    variables: ({ applicationId }) => ({ input: { applicationId, displayName: 'Made by the matrix' } }),
    scope: 'tenant:write',
    about: 'application',
    inside: () => ({ __typename: 'TenantPayload' }),
    outside: notFound,
  },
  {
    name: 'updateTenant',
    document: mutation('updateTenant', 'tenant'),
    variables: ({ tenantId }) => ({ input: { id: tenantId, displayName: 'Renamed by the matrix' } }),
    scope: 'tenant:write',
    about: 'tenant',
    inside: ofTenant,
    outside: notFound,
  },
  {
    name: 'deleteTenant',
    document: mutation('deleteTenant', 'id'),
    variables: ({ tenantId }) => ({ input: { id: tenantId } }),
    scope: 'tenant:write',
    about: 'tenant',
    spends: 'tenant',
    inside: ({ tenantId }) => payload('DeletedPayload', { id: tenantId }),
    outside: notFound,
  },
  {
    name: 'updateApplicationMfaPolicy',
    document: mutation('updateApplicationMfaPolicy', 'application'),
    variables: ({ applicationId }) => ({ input: { applicationId, policy: { gracePeriodDays: 3 } } }),
    scope: 'mfa-policy:write',
    about: 'application',
    inside: ofApplication,
    outside: notFound,
  },
  {
    name: 'updateTenantMfaPolicy',
    document: mutation('updateTenantMfaPolicy', 'tenant'),
    variables: ({ tenantId }) => ({ input: { tenantId, policy: { gracePeriodDays: 4 } } }),
    scope: 'mfa-policy:write',
    about: 'tenant',
    inside: ofTenant,
    outside: notFound,
  },
  {
    name: 'setTenantMfaPolicyOverride',
    document: mutation('setTenantMfaPolicyOverride', 'tenant'),
    variables: ({ tenantId }) => ({ input: { tenantId, enabled: true } }),
    scope: 'mfa-policy:write',
    about: 'tenant',
    inside: ofTenant,
    outside: notFound,
  },
  {
    name: 'setTenantMfaPolicyOverrides',
    document: `mutation ($input: SetTenantMfaPolicyOverridesInput!) {
      result: setTenantMfaPolicyOverrides(input: $input) {
        __typename ... on TenantsPayload { tenants { id } } ... on UserError { code message }
      }
    }`,
    variables: ({ tenantId }) => ({ input: { tenantIds: [tenantId], enabled: true } }),
    scope: 'mfa-policy:write',
    about: 'tenant',
    inside: ({ tenantId }) => payload('TenantsPayload', { tenants: [{ id: tenantId }] }),
    outside: notFound,
  },
  {
    name: 'explainMfa',
    document: `query ($tenantId: ID!) {
      result: explainMfa(tenantId: $tenantId, userId: "somebody") { effectivePolicy { tenant { id displayName } } }
    }`,
    variables: ({ tenantId }) => ({ tenantId }),
    scope: 'auth-factor:read',
    orScope: { scope: 'mfa-workflow:execute', only: 'application' },
    about: 'tenant',
    inside: ({ tenantId }) => ({ effectivePolicy: { tenant: { id: tenantId } } }),
    outside: null,
  },
  administration('exemptUserFromMfa', 'mfa-exemption:write', () => ({
    // Nobody has seen this one: should it become known where it must not, the matrix sees a new row.
    userId: uniqueId('unseen'),
    until: new Date(Date.now() + 3_600_000).toISOString(),
    reason: 'asked by the matrix',
  })),
  administration('revokeMfaExemption', 'mfa-exemption:write', () => ({})),
  administration('resetUserMfa', 'auth-factor:delete', () => ({ reason: 'asked by the matrix' })),
  {
    name: 'user',
    document: 'query ($id: ID!, $tenantId: ID!) { result: user(id: $id, tenantId: $tenantId) { tenantId } }',
    variables: ({ tenantId }) => ({ id: 'somebody', tenantId }),
    scope: 'auth-factor:read',
    about: 'tenant',
    inside: ({ tenantId }) => ({ tenantId }),
    outside: null,
  },
  {
    name: '_entities of User',
    document:
      'query ($user: _Any!) { result: _entities(representations: [$user]) { ... on User { tenantId } } }',
    variables: ({ tenantId }) => ({ user: { __typename: 'User', id: 'somebody', tenantId } }),
    scope: 'auth-factor:read',
    about: 'tenant',
    inside: ({ tenantId }) => [{ tenantId }],
    outside: [null],
  },
  {
    name: 'deleteAuthFactor',
    document: `mutation ($input: DeleteAuthFactorInput!) {
      result: deleteAuthFactor(input: $input) { __typename ... on UserError { code message } }
    }`,
    variables: () => ({ input: { id: '01900000-0000-7000-8000-000000000000' } }),
    scope: 'auth-factor:delete',
    openToTenants: true,
    about: 'nothing',
    inside: () => notFound,
  },
  {
    name: 'startMfa',
    document: `mutation ($input: StartMfaInput!) {
      result: startMfa(input: $input) { __typename ... on MfaDecision { status } ... on UserError { code message } }
    }`,
    variables: ({ tenantId }) => ({
      input: { tenantId, userId: 'somebody', accountName: 'somebody', trigger: 'LOGIN' },
    }),
    scope: 'mfa-workflow:execute',
    only: 'application',
    about: 'tenant',
    inside: () => payload('MfaDecision', { status: 'AUTHENTICATED' }),
    outside: notFound,
  },
  ...(['verifyMfaEnrollment', 'verifyMfaChallenge'] as const).map(
    (name): Operation => ({
      name,
      document: `mutation ($input: VerifyMfaInput!) {
        result: ${name}(input: $input) { __typename ... on UserError { code message } }
      }`,
      variables: () => ({ input: { mfaToken: 'unknown' } }),
      scope: 'mfa-workflow:execute',
      only: 'application',
      about: 'nothing',
      inside: () => invalidMfaToken,
    }),
  ),
  {
    name: 'auditEvents',
    document: 'query ($id: ID!) { result: auditEvents(applicationId: $id, first: 1) { nodes { actor } } }',
    variables: ({ applicationId }) => ({ id: applicationId }),
    scope: 'audit:read',
    about: 'application-or-its-tenant',
    inside: () => ({ nodes: expect.any(Array) }),
    outside: { nodes: [] },
  },
  {
    name: 'introspectMfaToken',
    document: '{ result: introspectMfaToken(mfaToken: "unknown") { userId } }',
    variables: () => ({}),
    openToTokens: true,
    about: 'nothing',
    inside: () => null,
  },
  ...(
    [
      ['enrollTotpAuthFactor', {}],
      ['verifyTotpAuthFactorChallenge', { code: '000000' }],
      ['enrollRecoveryCodeAuthFactor', {}],
      ['verifyRecoveryCodeAuthFactorChallenge', { recoveryCode: '0' }],
    ] as const
  ).flatMap(([name, input]): Operation[] => {
    const document = `mutation ($input: ${inputType(name)}!) {
      result: ${name}(input: $input) { __typename ... on UserError { code } }
    }`;
    const inStep: Operation = {
      name,
      document,
      variables: () => ({ input: { ...input, mfaToken: 'unknown' } }),
      openToTokens: true,
      about: 'nothing',
      inside: () => ({ code: 'INVALID_MFA_TOKEN' }),
    };
    if (name === 'verifyRecoveryCodeAuthFactorChallenge') return [inStep];
    return [
      inStep,
      {
        name: `${name} without a step`,
        document,
        variables: () => ({ input }),
        only: 'tenant',
        about: 'nothing',
        inside: () => ({ __typename: expect.any(String) }),
      },
    ];
  }),
  {
    name: 'webhookEndpoints',
    document: 'query ($id: ID!) { result: webhookEndpoints(applicationId: $id) { id } }',
    variables: ({ applicationId }) => ({ id: applicationId }),
    scope: 'application:write',
    notForTenants: true,
    about: 'application',
    inside: ({ endpointId }) => [{ id: endpointId }],
    outside: [],
  },
  {
    name: 'webhookDeliveries',
    document:
      'query ($id: ID!) { result: webhookDeliveries(applicationId: $id) { nodes { id } totalCount } }',
    variables: ({ applicationId }) => ({ id: applicationId }),
    scope: 'application:write',
    notForTenants: true,
    about: 'application',
    inside: () => ({ nodes: [], totalCount: 0 }),
    outside: { nodes: [], totalCount: 0 },
  },
  ...(
    [
      ['updateWebhookEndpoint', ({ endpointId: id }) => ({ id }), { __typename: 'WebhookEndpointPayload' }],
      ['rotateWebhookSecret', ({ endpointId: id }) => ({ id }), { __typename: 'WebhookSecretPayload' }],
      [
        'replayWebhookDeliveries',
        ({ endpointId }) => ({ endpointId }),
        { __typename: 'WebhookDeliveriesReplayed' },
      ],
      ['deleteWebhookEndpoint', ({ endpointId: id }) => ({ id }), { __typename: 'DeletedPayload' }],
      [
        'createWebhookEndpoint',
        // One for each boundary: an application has at most ten.
        ({ applicationId }) => ({
          applicationId,
          url: 'https://a.example.com/',
          idempotencyKey: keyOf(applicationId),
        }),
        { __typename: 'WebhookSecretPayload' },
      ],
    ] satisfies [string, (target: Target) => object, object][]
  ).map(
    ([name, input, inside]): Operation => ({
      name,
      document: `mutation ($input: ${inputType(name)}!) {
        result: ${name}(input: $input) { __typename ... on UserError { code message } }
      }`,
      variables: (target) => ({ input: input(target) }),
      scope: 'application:write',
      notForTenants: true,
      about: 'application',
      ...(name === 'deleteWebhookEndpoint' && { spends: 'endpoint' }),
      inside: () => inside,
      outside: notFound,
    }),
  ),
];

/** Open in development; in production to callers with schema:read, whatever their boundary. */
export const schemaReads = {
  _service: '{ result: _service { sdl } }',
  __schema: '{ result: __schema { queryType { name } } }',
};

export type Outcome = 'UNAUTHENTICATED' | 'FORBIDDEN' | 'inside' | 'outside';

/** What the rules say of a call. */
export function outcomeOf(
  { scope, orScope, openToTenants, openToTokens, only, notForTenants, about }: Operation,
  kind: Kind,
  granted: readonly Scope[],
  place: Place,
): Outcome {
  if (openToTokens) return 'inside';
  if (kind === 'none') return 'UNAUTHENTICATED';
  const mayOtherwise = orScope !== undefined && kind === orScope.only && granted.includes(orScope.scope);
  const mayAtAll =
    scope === undefined || granted.includes(scope) || mayOtherwise || (openToTenants && kind === 'tenant');
  if (!mayAtAll || (only !== undefined && kind !== only)) return 'FORBIDDEN';
  if (notForTenants && kind === 'tenant') return 'FORBIDDEN';
  if (about === 'nothing') return 'inside';
  return reached[about][kind].includes(place) ? 'inside' : 'outside';
}

const reached: Record<
  Exclude<Operation['about'], 'nothing'>,
  Record<Exclude<Kind, 'none'>, readonly Place[]>
> = {
  application: { installation: ['own', 'sibling', 'foreign'], application: ['own', 'sibling'], tenant: [] },
  'application-or-its-tenant': {
    installation: ['own', 'sibling', 'foreign'],
    application: ['own', 'sibling'],
    tenant: ['own', 'sibling'],
  },
  tenant: { installation: ['own', 'sibling', 'foreign'], application: ['own', 'sibling'], tenant: ['own'] },
};
