import {
  CreateApplicationDocument,
  CreateTenantDocument,
  SetTenantMfaPolicyOverrideDocument,
  UpdateApplicationDocument,
  UpdateApplicationMfaPolicyDocument,
} from '../generated/documents.ts';
import { type TestServer, uniqueId } from './harness.ts';

type Policy = {
  totpEnabled?: boolean;
  recoveryCodesEnabled?: boolean;
  enrollment?: 'OPTIONAL' | 'REQUIRED';
  gracePeriodDays?: number;
  issuer?: string | null;
};

export interface World {
  applicationId: string;
  tenantIds: string[];
}

/** Makes an application of the test's own, with tenants. */
export async function makeWorld(
  server: TestServer,
  {
    tenants = 1,
    policy,
    overrideRule,
    displayName = 'Test application',
  }: {
    tenants?: number;
    policy?: Policy;
    overrideRule?: 'ANY' | 'STRICTER_ONLY' | 'NONE';
    displayName?: string;
  } = {},
): Promise<World> {
  const admin = await server.caller();
  const applicationId = uniqueId('app');
  const { data } = await admin.call(CreateApplicationDocument, { input: { id: applicationId, displayName } });
  if (data?.createApplication.__typename !== 'ApplicationPayload') throw new Error('The world was not made.');
  if (overrideRule)
    await admin.call(UpdateApplicationDocument, { input: { id: applicationId, overrideRule } });
  if (policy) await admin.call(UpdateApplicationMfaPolicyDocument, { input: { applicationId, policy } });
  const tenantIds: string[] = [];
  for (let n = 1; n <= tenants; n += 1) {
    const id = `${applicationId}.t${n}`;
    await admin.call(CreateTenantDocument, {
      input: { id, applicationId, displayName: `Tenant ${String(n).padStart(3, '0')}` },
    });
    tenantIds.push(id);
  }
  return { applicationId, tenantIds };
}

/** Switches a tenant's override on with values. */
export async function override(server: TestServer, tenantId: string, policy: Policy): Promise<void> {
  const admin = await server.caller();
  const { data } = await admin.call(SetTenantMfaPolicyOverrideDocument, {
    input: { tenantId, enabled: true, policy },
  });
  if (data.setTenantMfaPolicyOverride.__typename !== 'TenantPayload') {
    throw new Error(`The override was refused: ${JSON.stringify(data)}`);
  }
}
