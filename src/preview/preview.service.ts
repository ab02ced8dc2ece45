import { callerOf, type RequestContext } from '../caller/context.ts';
import { nextOverrides } from '../policy/bulk-toggle.service.ts';
import { contradictionIn, type EffectivePolicyValues, effectivePolicy } from '../policy/effective-policy.ts';
import { bulkWrite, type MfaPolicyInput, policyWrite, withChange } from '../policy/policy.input.ts';
import { nextOverride } from '../policy/policy.service.ts';
import { InvalidInput, InvalidPolicy, NotFound, parseInput } from '../shared/user-error.type.ts';
import type { PolicyValues } from '../tenancy/policy-columns.ts';
import type { ApplicationRow } from '../tenancy/rows.ts';
import { storedApplications, storedTenants } from '../tenancy/tenancy.loader.ts';
import { countInApplication, countInTenant, countInTenants } from './preview.count.ts';
import { PolicyChangePreview } from './preview.type.ts';

type Refusal = InvalidInput | InvalidPolicy | NotFound;

/*
 * A preview judges its input as the write does, decides what would be stored, and counts instead of
 * saving. It locks nothing.
 */

export async function previewApplicationMfaPolicy(
  context: RequestContext,
  applicationId: string,
  policy: MfaPolicyInput,
): Promise<PolicyChangePreview | Refusal> {
  const caller = callerOf(context);
  caller.assertMay('mfa-policy:read');
  const application = caller.reachesApplication(applicationId)
    ? (await storedApplications(context, [applicationId]))[0]
    : undefined;
  if (application === undefined) return new NotFound('application');
  const write = parseInput(policyWrite, { policy });
  if (write instanceof InvalidInput) return write;
  const values = withChange(application.policy, write.policy ?? {});
  const contradiction = contradictionIn(values);
  if (contradiction) return new InvalidPolicy(`policy.${contradiction.setting}`, contradiction.reason);
  const counts = await countInApplication(context, application, values);
  const isChange = differ(ofApplication(application), ofApplication(application, values));
  return new PolicyChangePreview({ ...counts, tenantsShielded: isChange ? counts.tenantsShielded : 0 });
}

export async function previewTenantMfaPolicy(
  context: RequestContext,
  tenantId: string,
  { policy, enabled }: { policy?: MfaPolicyInput | null | undefined; enabled?: boolean | null | undefined },
): Promise<PolicyChangePreview | Refusal> {
  callerOf(context).assertMay('mfa-policy:read');
  const [tenant] = await storedTenants(context, [tenantId]);
  if (tenant === undefined) return new NotFound('tenant');
  const write = parseInput(policyWrite, { policy });
  if (write instanceof InvalidInput) return write;
  const { application, override } = tenant;
  const next = nextOverride(tenant, enabled ?? override.enabled, write.policy ?? null, context.clock.now());
  if (next instanceof InvalidPolicy) return next;
  const before = effectivePolicy(tenant);
  const after = effectivePolicy({ application, override: next });
  const users = await countInTenant(context, tenant, before, after);
  const counts = { ...users, tenantsAffected: differ(before, after) ? 1 : 0, tenantsShielded: 0 };
  return new PolicyChangePreview(counts, {
    before: { tenant, ...before },
    after: { tenant, ...after },
  });
}

/** The number of statements is the same for one tenant and for a thousand. */
export async function previewTenantMfaPolicyOverrides(
  context: RequestContext,
  input: { tenantIds: readonly string[]; enabled: boolean; policy?: MfaPolicyInput | null | undefined },
): Promise<PolicyChangePreview | Refusal> {
  callerOf(context).assertMay('mfa-policy:read');
  const write = parseInput(bulkWrite, input);
  if (write instanceof InvalidInput) return write;
  const tenants = await storedTenants(context, write.tenantIds);
  tenants.sort((one, other) => (one.id < other.id ? -1 : 1));
  const next = nextOverrides(tenants, write, input.enabled, context.clock.now());
  if (!Array.isArray(next)) return next;
  const changes = next
    .map(({ tenant, after: override }) => ({
      tenantId: tenant.id,
      before: effectivePolicy(tenant),
      after: effectivePolicy({ application: tenant.application, override }),
    }))
    .filter(({ before, after }) => differ(before, after));
  const users = await countInTenants(context, changes);
  return new PolicyChangePreview({ ...users, tenantsAffected: changes.length, tenantsShielded: 0 });
}

/** What applies to a tenant of the application that has no override. */
const ofApplication = (application: ApplicationRow, values?: PolicyValues): EffectivePolicyValues =>
  effectivePolicy({
    application: { ...application, policy: { ...application.policy, ...values } },
    override: { enabled: false, policy: null },
  });

/** Whether a policy is another one; a new version of the same is not. */
const differ = (before: EffectivePolicyValues, after: EffectivePolicyValues): boolean =>
  (Object.keys(before) as (keyof EffectivePolicyValues)[]).some(
    (member) => member !== 'version' && before[member] !== after[member],
  );
