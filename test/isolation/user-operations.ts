import { expect } from '@jest/globals';
import type { Scope } from '../../src/caller/caller.ts';
import { uniqueId } from '../setup/harness.ts';
import { knownUser } from './callers.ts';
import { inputType, invalidMfaToken, notFound, type Operation, payload } from './operation.ts';

/* Users, the MFA step, and the record of both. */

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

export const userOperations: readonly Operation[] = [
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
];
