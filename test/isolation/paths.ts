import type { Scope } from '../../src/caller/caller.ts';
import { type Ground, type Kind, knownUser } from './callers.ts';

/*
 * The ways to an application and to a tenant. A new field or operation that leads to one of the two
 * belongs here.
 */

export interface Path {
  name: string;
  /** What the operation at its beginning needs. */
  scope?: Scope;
  openToTenants?: true;
  /** The boundaries that get through to the object. */
  kinds: readonly Kind[];
  /** Whether the object at its end is what the operation answers, rather than a neighbour of it. */
  answered?: true;
  ask(selection: string, ground: Ground): { document: string; variables: object };
  /** What stands at its end in an answer. */
  pick(data: Record<string, unknown> | null): unknown;
}

type Begin = Omit<Path, 'answered' | 'ask' | 'pick' | 'name'> & {
  /** Up to the object, in the form `a.b.c`; the root field with its arguments. */
  variables?: (ground: Ground) => object;
  types?: string;
};

/** A path written with dots; a member in angle brackets is a condition on the type. */
function path(way: string, { variables, types, ...rest }: Begin, answered?: true): Path {
  const steps = way.split(' > ');
  const isMutation = /^(create|update|set|exempt|revoke|reset)/.test(way);
  return {
    name: way.replaceAll(/\(.*?\)|\.{3} on (\w+(Payload|Preview) > )?/g, '').replaceAll(' > ', '.'),
    ...rest,
    ...(answered && { answered }),
    ask: (selection, ground) => ({
      document: `${isMutation ? 'mutation' : 'query'} ${types ? `(${types})` : ''} ${steps.reduceRight(
        (inner, step) => `{ ${step} ${inner} }`,
        `{ end: __typename ${selection} }`,
      )}`,
      variables: variables?.(ground) ?? {},
    }),
    pick: (data) =>
      steps.reduce<unknown>((at, step) => {
        if (step.startsWith('...')) return at;
        const value = (at as Record<string, unknown> | null)?.[/^\w+/.exec(step)?.[0] ?? ''];
        return Array.isArray(value) ? value[0] : value;
      }, data),
  };
}

const everywhere: readonly Kind[] = ['installation', 'application', 'tenant'];
const overTenants: readonly Kind[] = ['installation', 'application'];

const viewer: Begin = { kinds: ['application', 'tenant'] };
const viewerTenant: Begin = { kinds: ['tenant'] };
const application: Begin = {
  scope: 'mfa-policy:read',
  kinds: everywhere,
  types: '$id: ID!',
  variables: ({ own }) => ({ id: own.applicationId }),
};
const applications: Begin = {
  scope: 'mfa-policy:read',
  kinds: everywhere,
  types: '$search: String',
  variables: ({ search }) => ({ search: `${search} own` }),
};
const tenant: Begin = {
  scope: 'mfa-policy:read',
  openToTenants: true,
  kinds: everywhere,
  types: '$id: ID!',
  variables: ({ own }) => ({ id: own.tenantId }),
};
const preview: Begin = {
  scope: 'mfa-policy:read',
  kinds: everywhere,
  types: '$id: ID!',
  variables: ({ own }) => ({ id: own.tenantId }),
};
const reference = (type: 'Application' | 'Tenant', begin: Begin): Begin => ({
  ...begin,
  types: '$of: _Any!',
  variables: ({ own }) => ({
    of: { __typename: type, id: type === 'Tenant' ? own.tenantId : own.applicationId },
  }),
});

/** A mutation that changes nothing, or makes something new. */
const mutation = (
  type: string,
  scope: Scope,
  kinds: readonly Kind[],
  input: (ground: Ground) => object,
): Begin => ({
  scope,
  kinds,
  types: `$input: ${type}!`,
  variables: (ground) => ({ input: input(ground) }),
});

const createApplication = mutation('CreateApplicationInput', 'application:write', ['installation'], () => ({
  displayName: 'Made on the way',
}));
const updateApplication = mutation('UpdateApplicationInput', 'application:write', overTenants, ({ own }) => ({
  id: own.applicationId,
}));
const createTenant = mutation('CreateTenantInput', 'tenant:write', overTenants, ({ own }) => ({
  applicationId: own.applicationId,
  displayName: 'Made on the way',
}));
const updateTenant = mutation('UpdateTenantInput', 'tenant:write', everywhere, ({ own }) => ({
  id: own.tenantId,
  displayName: 'Tenant 001',
}));
const updateApplicationMfaPolicy = mutation(
  'UpdateApplicationMfaPolicyInput',
  'mfa-policy:write',
  overTenants,
  ({ own }) => ({ applicationId: own.applicationId, policy: {} }),
);
const updateTenantMfaPolicy = mutation(
  'UpdateTenantMfaPolicyInput',
  'mfa-policy:write',
  everywhere,
  ({ own }) => ({ tenantId: own.tenantId, policy: {} }),
);
const setTenantMfaPolicyOverride = mutation(
  'SetTenantMfaPolicyOverrideInput',
  'mfa-policy:write',
  everywhere,
  ({ own }) => ({ tenantId: own.tenantId, enabled: false }),
);

const setTenantMfaPolicyOverrides = mutation(
  'SetTenantMfaPolicyOverridesInput',
  'mfa-policy:write',
  everywhere,
  ({ own }) => ({ tenantIds: [own.tenantId], enabled: false }),
);
const explainMfa: Begin = {
  scope: 'auth-factor:read',
  kinds: everywhere,
  types: '$id: ID!',
  variables: ({ own }) => ({ id: own.tenantId }),
};
const user = ({ own }: Ground) => ({ tenantId: own.tenantId, userId: knownUser });
const exemptUserFromMfa = mutation('ExemptUserFromMfaInput', 'mfa-exemption:write', everywhere, (ground) => ({
  ...user(ground),
  until: new Date(Date.now() + 3_600_000).toISOString(),
  reason: 'on the way',
}));
const revokeMfaExemption = mutation('RevokeMfaExemptionInput', 'mfa-exemption:write', everywhere, user);
const resetUserMfa = mutation('ResetUserMfaInput', 'auth-factor:delete', everywhere, (ground) => ({
  ...user(ground),
  reason: 'on the way',
}));

const byInput = '(input: $input)';
const theApplication = `... on ApplicationPayload > application`;
const theTenant = `... on TenantPayload > tenant`;
const itsTenant = '... on UserPayload > user > mfa > tenant';
const previewOf = 'previewTenantMfaPolicy(tenantId: $id) > ... on PolicyChangePreview';
const page = 'tenants(first: 1) > nodes';

export const applicationPaths: readonly Path[] = [
  path('viewer > application', viewer),
  path('viewer > tenant > application', viewerTenant),
  path('viewer > tenant > effectivePolicy > tenant > application', viewerTenant),
  path('application(id: $id)', application, true),
  path(`application(id: $id) > ${page} > application`, application),
  path('applications(search: $search) > nodes', applications, true),
  path('applications(search: $search) > edges > node', applications, true),
  path('tenant(id: $id) > application', tenant),
  path('tenants(ids: [$id]) > application', tenant),
  path('effectivePolicy(tenantId: $id) > tenant > application', tenant),
  path(`${previewOf} > before > tenant > application`, preview),
  path('_entities(representations: [$of]) > ... on Application', reference('Application', application), true),
  path('_entities(representations: [$of]) > ... on Tenant > application', reference('Tenant', tenant)),
  path(`createApplication${byInput} > ${theApplication}`, createApplication, true),
  path(`updateApplication${byInput} > ${theApplication}`, updateApplication, true),
  path(`updateApplicationMfaPolicy${byInput} > ${theApplication}`, updateApplicationMfaPolicy, true),
  path(`updateApplication${byInput} > ${theApplication} > ${page} > application`, updateApplication),
  path(`createTenant${byInput} > ${theTenant} > application`, createTenant),
  path(`updateTenant${byInput} > ${theTenant} > application`, updateTenant),
  path(`updateTenantMfaPolicy${byInput} > ${theTenant} > application`, updateTenantMfaPolicy),
  path(
    `setTenantMfaPolicyOverride${byInput} > ${theTenant} > effectivePolicy > tenant > application`,
    setTenantMfaPolicyOverride,
  ),
];

export const tenantPaths: readonly Path[] = [
  path('viewer > tenant', viewerTenant),
  path('viewer > tenant > effectivePolicy > tenant', viewerTenant),
  path('tenant(id: $id)', tenant),
  path('tenants(ids: [$id])', tenant),
  path('effectivePolicy(tenantId: $id) > tenant', tenant),
  path(`${previewOf} > before > tenant`, preview),
  path(`${previewOf} > after > tenant`, preview),
  path(`application(id: $id) > ${page}`, application),
  path('application(id: $id) > tenants(first: 1) > edges > node', application),
  path(`applications(search: $search) > nodes > ${page}`, applications),
  path('_entities(representations: [$of]) > ... on Tenant', reference('Tenant', tenant)),
  path(
    `_entities(representations: [$of]) > ... on Application > ${page}`,
    reference('Application', application),
  ),
  path(`updateApplication${byInput} > ${theApplication} > ${page}`, updateApplication),
  path(`updateApplicationMfaPolicy${byInput} > ${theApplication} > ${page}`, updateApplicationMfaPolicy),
  path(`createTenant${byInput} > ${theTenant}`, createTenant, true),
  path(`updateTenant${byInput} > ${theTenant}`, updateTenant, true),
  path(`updateTenantMfaPolicy${byInput} > ${theTenant}`, updateTenantMfaPolicy, true),
  path(`setTenantMfaPolicyOverride${byInput} > ${theTenant}`, setTenantMfaPolicyOverride, true),
  path(
    `setTenantMfaPolicyOverride${byInput} > ${theTenant} > effectivePolicy > tenant`,
    setTenantMfaPolicyOverride,
    true,
  ),
  path(
    `setTenantMfaPolicyOverrides${byInput} > ... on TenantsPayload > tenants`,
    setTenantMfaPolicyOverrides,
    true,
  ),
  path(`explainMfa(tenantId: $id, userId: "${knownUser}") > effectivePolicy > tenant`, explainMfa),
  path(`exemptUserFromMfa${byInput} > ${itsTenant}`, exemptUserFromMfa),
  path(`revokeMfaExemption${byInput} > ${itsTenant}`, revokeMfaExemption),
  path(`resetUserMfa${byInput} > ${itsTenant}`, resetUserMfa),
];
