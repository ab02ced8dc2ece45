import { generateSync } from 'otplib';
import { Caller, scopes } from './caller/caller.ts';
import type { RequestContext } from './caller/context.ts';
import { type ContextDeps, createContext } from './context.ts';
import type { MfaPolicyInput } from './policy/policy.input.ts';
import {
  setTenantMfaPolicyOverride,
  updateApplicationMfaPolicy,
  updateTenantMfaPolicy,
} from './policy/policy.service.ts';
import { AlreadyExists, UserError } from './shared/user-error.type.ts';
import { enrollTotp } from './signin/enroll.service.ts';
import { TotpEnrollment } from './signin/signin.type.ts';
import { startMfa } from './signin/start.service.ts';
import { verifyTotp } from './signin/verify.service.ts';
import type { OverrideRule } from './tenancy/policy-columns.ts';
import { PolicySnapshot } from './tenancy/policy-snapshot.ts';
import { createApplication, createTenant, updateApplication } from './tenancy/tenancy.service.ts';

interface DemoTenant {
  id: string;
  /** Users who have signed in; who enrolled is named in `enrolled`. */
  users?: readonly string[];
  enrolled?: readonly string[];
  displayName: string;
  /** Values of an override; `enabled` false keeps them behind a switched-off toggle. */
  override?: { enabled: boolean; policy: MfaPolicyInput };
}

interface DemoApplication {
  id: string;
  displayName: string;
  overrideRule: OverrideRule;
  policy: MfaPolicyInput;
  tenants: DemoTenant[];
}

const applications: DemoApplication[] = [
  {
    id: 'harbor',
    displayName: 'Harbor CRM',
    overrideRule: 'ANY',
    policy: { totpEnabled: true, recoveryCodesEnabled: true, enrollment: 'OPTIONAL' },
    tenants: [
      { id: 'alder', displayName: 'Alder Shipping', users: ['emil', 'frida'], enrolled: ['frida'] },
      { id: 'birch', displayName: 'Birch & Sons' },
      {
        id: 'cedar',
        users: ['ada', 'bela'],
        enrolled: ['bela'],
        displayName: 'Cedar Bank',
        override: {
          enabled: true,
          policy: { enrollment: 'REQUIRED', gracePeriodDays: 7, issuer: 'Cedar Bank' },
        },
      },
      {
        id: 'dogwood',
        displayName: 'Dogwood Clinics',
        users: ['cleo', 'dora'],
        enrolled: ['dora'],
        override: { enabled: true, policy: { enrollment: 'REQUIRED' } },
      },
      {
        id: 'elm',
        users: ['gus'],
        displayName: 'Elm Street Bakery',
        override: { enabled: true, policy: { totpEnabled: false, recoveryCodesEnabled: false } },
      },
      {
        id: 'fir',
        displayName: 'Fir Logistics',
        override: { enabled: false, policy: { enrollment: 'REQUIRED', gracePeriodDays: 30 } },
      },
    ],
  },
  {
    id: 'lantern',
    displayName: 'Lantern Analytics',
    overrideRule: 'STRICTER_ONLY',
    policy: {
      totpEnabled: true,
      recoveryCodesEnabled: true,
      enrollment: 'REQUIRED',
      gracePeriodDays: 14,
      issuer: 'Lantern',
    },
    tenants: [
      { id: 'ginkgo', displayName: 'Ginkgo Labs' },
      {
        id: 'hazel',
        displayName: 'Hazel Insurance',
        override: { enabled: true, policy: { gracePeriodDays: 0 } },
      },
      { id: 'ivy', displayName: 'Ivy Publishing' },
      {
        id: 'juniper',
        displayName: 'Juniper Energy',
        override: { enabled: true, policy: { recoveryCodesEnabled: false } },
      },
      { id: 'katsura', displayName: 'Katsura Motors' },
      {
        id: 'larch',
        displayName: 'Larch Legal',
        override: { enabled: false, policy: { issuer: 'Larch Legal' } },
      },
    ],
  },
];

/** Fills an empty database with the demo, by the same services that serve the API. May be repeated. */
export async function fillDemo(given: Pick<ContextDeps, 'database' | 'service'>): Promise<void> {
  const deps = { ...given, policies: new PolicySnapshot() };
  const contextOf: ContextOf = (caller) => createContext(deps, { requestId: 'demo', caller, log: console });
  for (const application of applications) await fillApplication(contextOf, application);
}

type ContextOf = (caller: Caller) => RequestContext;

async function fillApplication(contextOf: ContextOf, application: DemoApplication): Promise<void> {
  const { id, displayName, overrideRule, policy, tenants } = application;
  const context = contextOf(new Caller('demo', { kind: 'installation' }, scopes));
  expected(await createApplication(context, { id, displayName }));
  expected(await updateApplication(context, { id, overrideRule }));
  expected(await updateApplicationMfaPolicy(context, { applicationId: id, policy }));
  for (const tenant of tenants) {
    expected(
      await createTenant(context, { id: tenant.id, applicationId: id, displayName: tenant.displayName }),
    );
    if (tenant.override) await overrideTenant(context, tenant.id, tenant.override);
    await fillUsers(contextOf, id, tenant);
  }
}

async function overrideTenant(
  context: RequestContext,
  tenantId: string,
  { enabled, policy }: NonNullable<DemoTenant['override']>,
): Promise<void> {
  expected(
    enabled
      ? await setTenantMfaPolicyOverride(context, { tenantId, enabled, policy })
      : await updateTenantMfaPolicy(context, { tenantId, policy }),
  );
}

/** Users sign in; some have enrolled before, in an authenticator app that nobody has. */
async function fillUsers(contextOf: ContextOf, applicationId: string, tenant: DemoTenant): Promise<void> {
  const tenantId = tenant.id;
  for (const userId of tenant.enrolled ?? []) {
    const self = contextOf(new Caller(userId, { kind: 'tenant', applicationId, tenantId }, []));
    const begun = await enrollTotp(self, {});
    if (!(begun instanceof TotpEnrollment)) continue; // enrolled by a demo that was cut off
    const epoch = Math.floor(self.clock.now().getTime() / 1000);
    expected(await verifyTotp(self, { code: generateSync({ secret: begun.secret, epoch }) }));
  }
  const service = contextOf(new Caller('demo', { kind: 'application', applicationId }, scopes));
  for (const userId of tenant.users ?? []) {
    const accountName = `${userId}@${tenantId}.example`;
    expected(
      await startMfa(service, { tenantId, userId, accountName, trigger: 'LOGIN', identityProvider: 'LOCAL' }),
    );
  }
}

/** A demo that was cut off finds what it made before; anything else refused is a fault of the demo. */
function expected(result: object): void {
  if (result instanceof UserError && !(result instanceof AlreadyExists)) {
    throw new Error(`The demo was refused: ${result.message}`);
  }
}
