import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  CreateApplicationDocument,
  SetTenantMfaPolicyOverrideDocument,
  TenantPolicyDocument,
  UpdateApplicationDocument,
  UpdateApplicationMfaPolicyDocument,
  UpdateTenantMfaPolicyDocument,
} from '../generated/documents.ts';
import { startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { makeWorld } from '../setup/world.ts';

let server: TestServer;
let admin: TestCaller;
beforeAll(async () => {
  server = await startTestServer();
  admin = await server.caller();
});
afterAll(() => server.stop());

type Policy = Parameters<typeof writeApplication>[1];

async function writeApplication(
  applicationId: string,
  policy: {
    totpEnabled?: boolean | null;
    recoveryCodesEnabled?: boolean | null;
    enrollment?: 'OPTIONAL' | 'REQUIRED' | null;
    gracePeriodDays?: number | null;
    issuer?: string | null;
  },
  expectedVersion?: number,
) {
  const { data } = await admin.call(UpdateApplicationMfaPolicyDocument, {
    input: { applicationId, policy, expectedVersion },
  });
  return data.updateApplicationMfaPolicy;
}

async function writeTenant(tenantId: string, policy: Policy, expectedVersion?: number) {
  const { data } = await admin.call(UpdateTenantMfaPolicyDocument, {
    input: { tenantId, policy, expectedVersion },
  });
  return data.updateTenantMfaPolicy;
}

async function toggle(tenantId: string, enabled: boolean, policy?: Policy, expectedVersion?: number) {
  const { data } = await admin.call(SetTenantMfaPolicyOverrideDocument, {
    input: { tenantId, enabled, policy, expectedVersion },
  });
  return data.setTenantMfaPolicyOverride;
}

async function tenantPolicy(id: string) {
  const { data } = await admin.call(TenantPolicyDocument, { id });
  if (data.tenant === null) throw new Error('no such tenant');
  return data.tenant;
}

describe("an application's policy", () => {
  test('is created with it: everything off, version 1', async () => {
    const id = uniqueId('app');
    const { data } = await admin.call(CreateApplicationDocument, { input: { id, displayName: '  New  ' } });
    expect(data.createApplication).toMatchObject({
      application: {
        id,
        displayName: 'New',
        overrideRule: 'ANY',
        mfaPolicy: {
          totpEnabled: false,
          recoveryCodesEnabled: false,
          enrollment: 'OPTIONAL',
          gracePeriodDays: 0,
          issuer: null,
          version: 1,
        },
      },
    });
  });

  test('changes only what is given, and its version grows by one', async () => {
    const { applicationId } = await makeWorld(server, {
      tenants: 0,
      policy: { totpEnabled: true, issuer: 'Own' },
    });
    expect(await writeApplication(applicationId, { gracePeriodDays: 3 })).toMatchObject({
      application: { mfaPolicy: { totpEnabled: true, issuer: 'Own', gracePeriodDays: 3, version: 3 } },
    });
  });

  test('keeps its version when a write changes nothing', async () => {
    const { applicationId } = await makeWorld(server, { tenants: 0, policy: { totpEnabled: true } });
    expect(await writeApplication(applicationId, { totpEnabled: true })).toMatchObject({
      application: { mfaPolicy: { version: 2 } },
    });
  });

  test.each([
    ['null', null],
    ['blank', '   '],
  ])('loses its issuer when given %s', async (_name, issuer) => {
    const { applicationId } = await makeWorld(server, { tenants: 0, policy: { issuer: 'Own' } });
    expect(await writeApplication(applicationId, { issuer })).toMatchObject({
      application: { mfaPolicy: { issuer: null, version: 3 } },
    });
  });

  test.each<[string, Policy, string, string]>([
    ['REQUIRED without TOTP', { enrollment: 'REQUIRED' }, 'InvalidPolicy', 'policy.enrollment'],
    [
      'recovery codes without TOTP',
      { recoveryCodesEnabled: true },
      'InvalidPolicy',
      'policy.recoveryCodesEnabled',
    ],
    ['a negative grace', { gracePeriodDays: -1 }, 'InvalidInput', 'policy.gracePeriodDays'],
    ['a grace of 366 days', { gracePeriodDays: 366 }, 'InvalidInput', 'policy.gracePeriodDays'],
    ['an issuer with a colon', { issuer: 'a:b' }, 'InvalidInput', 'policy.issuer'],
    ['an issuer of 65 characters', { issuer: 'x'.repeat(65) }, 'InvalidInput', 'policy.issuer'],
    ['an issuer with a control character', { issuer: 'a\u0000b' }, 'InvalidInput', 'policy.issuer'],
    ['an issuer that reorders text', { issuer: 'a\u202Eb' }, 'InvalidInput', 'policy.issuer'],
    ['an issuer that is no well-formed text', { issuer: 'a\uD800b' }, 'InvalidInput', 'policy.issuer'],
  ])('refuses %s and writes nothing', async (_name, policy, type, field) => {
    const { applicationId } = await makeWorld(server, { tenants: 0 });
    expect(await writeApplication(applicationId, policy)).toMatchObject({ __typename: type, field });
    expect(await writeApplication(applicationId, {}, 1)).toMatchObject({
      application: { mfaPolicy: { version: 1 } },
    });
  });

  test('takes 365 days and an issuer of 64 characters', async () => {
    const { applicationId } = await makeWorld(server, { tenants: 0 });
    const issuer = '😀'.repeat(64);
    expect(await writeApplication(applicationId, { gracePeriodDays: 365, issuer })).toMatchObject({
      application: { mfaPolicy: { gracePeriodDays: 365, issuer } },
    });
  });

  test('may lose TOTP together with what depends on it, not before', async () => {
    const { applicationId } = await makeWorld(server, {
      tenants: 0,
      policy: { totpEnabled: true, recoveryCodesEnabled: true, enrollment: 'REQUIRED' },
    });
    expect(await writeApplication(applicationId, { totpEnabled: false })).toMatchObject({
      __typename: 'InvalidPolicy',
      field: 'policy.enrollment',
    });
    expect(
      await writeApplication(applicationId, {
        totpEnabled: false,
        recoveryCodesEnabled: false,
        enrollment: 'OPTIONAL',
      }),
    ).toMatchObject({ application: { mfaPolicy: { totpEnabled: false } } });
  });

  test('answers VersionConflict with the current version to a stale write', async () => {
    const { applicationId } = await makeWorld(server, { tenants: 0, policy: { totpEnabled: true } });
    for (const stale of [0, 1, 3]) {
      expect(await writeApplication(applicationId, { gracePeriodDays: 9 }, stale)).toMatchObject({
        __typename: 'VersionConflict',
        currentVersion: 2,
      });
    }
  });
});

describe("a tenant's override", () => {
  test('has no values before any were given; expectedVersion 0 says so', async () => {
    const { tenantIds } = await makeWorld(server);
    const id = tenantIds[0] as string;
    expect((await tenantPolicy(id)).mfaPolicyOverride).toEqual({ enabled: false, policy: null });
    expect(await writeTenant(id, { totpEnabled: true }, 1)).toMatchObject({
      __typename: 'VersionConflict',
      currentVersion: 0,
    });
    expect(await writeTenant(id, { totpEnabled: true }, 0)).toMatchObject({
      tenant: { mfaPolicyOverride: { enabled: false, policy: { totpEnabled: true, version: 1 } } },
    });
  });

  test('first switched on, copies the application and changes nothing by itself', async () => {
    const policy = {
      totpEnabled: true,
      recoveryCodesEnabled: true,
      enrollment: 'REQUIRED',
      gracePeriodDays: 5,
      issuer: 'Own',
    } as const;
    const { tenantIds } = await makeWorld(server, { policy });
    const id = tenantIds[0] as string;
    const before = (await tenantPolicy(id)).effectivePolicy;
    expect(await toggle(id, true)).toMatchObject({
      tenant: {
        mfaPolicyOverride: { enabled: true, policy: { ...policy, version: 1 } },
        effectivePolicy: { ...before, source: 'TENANT', version: 1 },
      },
    });
  });

  test('takes its first values in part, the rest from the application', async () => {
    const { tenantIds } = await makeWorld(server, {
      policy: { totpEnabled: true, issuer: 'Own', gracePeriodDays: 4 },
    });
    expect(await toggle(tenantIds[0] as string, true, { enrollment: 'REQUIRED' })).toMatchObject({
      tenant: {
        effectivePolicy: {
          totpEnabled: true,
          enrollment: 'REQUIRED',
          gracePeriodDays: 4,
          issuer: 'Own',
          source: 'TENANT',
        },
      },
    });
  });

  test('switched off, keeps its values, and the application applies at once', async () => {
    const { tenantIds } = await makeWorld(server, { displayName: 'The: App' });
    const id = tenantIds[0] as string;
    await toggle(id, true, { totpEnabled: true, issuer: 'Tenant' });
    expect(await toggle(id, false)).toMatchObject({
      tenant: {
        mfaPolicyOverride: { enabled: false, policy: { totpEnabled: true, issuer: 'Tenant', version: 2 } },
        effectivePolicy: { totpEnabled: false, issuer: 'The: App', source: 'APPLICATION', version: 1 },
      },
    });
    expect(await toggle(id, true)).toMatchObject({
      tenant: { effectivePolicy: { totpEnabled: true, issuer: 'Tenant', source: 'TENANT', version: 3 } },
    });
  });

  test('keeps its version where nothing changes, also when off and without values', async () => {
    const { tenantIds } = await makeWorld(server);
    const id = tenantIds[0] as string;
    expect(await toggle(id, false)).toMatchObject({
      tenant: { mfaPolicyOverride: { enabled: false, policy: null } },
    });
    await toggle(id, true);
    expect(await toggle(id, true, { totpEnabled: false })).toMatchObject({
      tenant: { mfaPolicyOverride: { policy: { version: 1 } } },
    });
  });

  test('under STRICTER_ONLY may not be weaker, on or off; the refusal names the field', async () => {
    const { tenantIds } = await makeWorld(server, {
      overrideRule: 'STRICTER_ONLY',
      policy: { totpEnabled: true, enrollment: 'REQUIRED', gracePeriodDays: 7 },
    });
    const id = tenantIds[0] as string;
    const attempts: [Policy, string][] = [
      [{ totpEnabled: false, enrollment: 'OPTIONAL' }, 'policy.totpEnabled'],
      [{ enrollment: 'OPTIONAL' }, 'policy.enrollment'],
      [{ gracePeriodDays: 8 }, 'policy.gracePeriodDays'],
    ];
    for (const [policy, field] of attempts) {
      expect(await writeTenant(id, policy)).toMatchObject({ __typename: 'InvalidPolicy', field });
      expect(await toggle(id, true, policy)).toMatchObject({ __typename: 'InvalidPolicy', field });
      expect(await toggle(id, false, policy)).toMatchObject({ __typename: 'InvalidPolicy', field });
    }
    expect(await writeTenant(id, { gracePeriodDays: 6 })).toMatchObject({ __typename: 'TenantPayload' });
  });

  test('is raised when the application is tightened later, never rewritten; switching it on never fails', async () => {
    const { applicationId, tenantIds } = await makeWorld(server, { policy: { totpEnabled: true } });
    const id = tenantIds[0] as string;
    await writeTenant(id, { totpEnabled: false });
    await admin.call(UpdateApplicationDocument, {
      input: { id: applicationId, overrideRule: 'STRICTER_ONLY' },
    });
    await writeApplication(applicationId, { enrollment: 'REQUIRED' });
    expect(await toggle(id, true)).toMatchObject({
      tenant: {
        mfaPolicyOverride: { policy: { totpEnabled: false, enrollment: 'OPTIONAL', version: 2 } },
        effectivePolicy: { totpEnabled: true, enrollment: 'REQUIRED', source: 'TENANT', version: 2 },
      },
    });
  });

  test('under NONE is kept and ignored', async () => {
    const { tenantIds } = await makeWorld(server, { overrideRule: 'NONE' });
    expect(await toggle(tenantIds[0] as string, true, { totpEnabled: true })).toMatchObject({
      tenant: {
        mfaPolicyOverride: { enabled: true, policy: { totpEnabled: true } },
        effectivePolicy: { totpEnabled: false, source: 'APPLICATION', version: 1 },
      },
    });
  });
});

describe('parallel writes', () => {
  test('100 with one expectedVersion: one wins, the others learn the current version', async () => {
    const { applicationId, tenantIds } = await makeWorld(server);
    const attempts = Array.from({ length: 100 }, (_, n) => n);
    const onApplication = await Promise.all(
      attempts.map((n) => writeApplication(applicationId, { gracePeriodDays: n + 1 }, 1)),
    );
    const onTenant = await Promise.all(
      attempts.map((n) => writeTenant(tenantIds[0] as string, { gracePeriodDays: n + 1 }, 0)),
    );
    for (const [results, version] of [
      [onApplication, 2],
      [onTenant, 1],
    ] as const) {
      const lost = results.filter((result) => result.__typename === 'VersionConflict');
      expect(lost).toHaveLength(99);
      expect(new Set(lost.map((result) => 'currentVersion' in result && result.currentVersion))).toEqual(
        new Set([version]),
      );
    }
  });

  test('without an expectedVersion none is lost: 20 changes are 20 versions', async () => {
    const { applicationId } = await makeWorld(server, { tenants: 0 });
    await Promise.all(
      Array.from({ length: 20 }, (_, n) => writeApplication(applicationId, { gracePeriodDays: n + 1 })),
    );
    expect(await writeApplication(applicationId, {})).toMatchObject({
      application: { mfaPolicy: { version: 21 } },
    });
  });
});
