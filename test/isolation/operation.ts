import type { Scope } from '../../src/caller/caller.ts';
import type { Ground, Kind, Target } from './callers.ts';

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

export const notFound = { __typename: 'NotFound', code: 'NOT_FOUND' };

export const invalidMfaToken = { __typename: 'InvalidMfaToken', code: 'INVALID_MFA_TOKEN' };

export const payload = (type: string, fields: object) => ({ __typename: type, ...fields });
export const ofTenant = ({ tenantId }: Target) => payload('TenantPayload', { tenant: { id: tenantId } });
export const ofApplication = ({ applicationId }: Target) =>
  payload('ApplicationPayload', { application: { id: applicationId } });

export const inputType = (field: string): string => `${field[0]?.toUpperCase()}${field.slice(1)}Input`;

/** A key that is one, whatever the id is. */
export const keyOf = (id: string): string => `matrix ${Buffer.from(id).toString('base64url').slice(0, 100)}`;

/** A mutation of one input, of whose answer the type, the id and the code are asked. */
export function mutation(field: string, thing: 'application' | 'tenant' | 'id'): string {
  const part = {
    application: '... on ApplicationPayload { application { id } }',
    tenant: '... on TenantPayload { tenant { id } }',
    id: '... on DeletedPayload { id }',
  }[thing];
  return `mutation ($input: ${inputType(field)}!) {
    result: ${field}(input: $input) { __typename ${part} ... on UserError { code message } }
  }`;
}

export const entity = (type: 'Application' | 'Tenant', idOf: (target: Target) => string) => ({
  document: `query ($id: _Any!) { result: _entities(representations: [$id]) { ... on ${type} { id displayName } } }`,
  variables: (target: Target) => ({ id: { __typename: type, id: idOf(target) } }),
  inside: (target: Target) => [{ id: idOf(target) }],
  outside: [null],
});
