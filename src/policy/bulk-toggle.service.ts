import type { EntityManager } from '@mikro-orm/postgresql';
import { type AuditEntry, record } from '../audit/audit.service.ts';
import { answer, callerOf, type RequestContext, transaction } from '../caller/context.ts';
import { countOf, sql } from '../db/sql.ts';
import { InvalidInput, InvalidPolicy, NotFound, parseInput } from '../shared/user-error.type.ts';
import { lockTenants } from '../tenancy/locks.ts';
import { changeOfTenants, publish } from '../tenancy/policy-change.ts';
import type { StoredOverride, StoredPolicy } from '../tenancy/policy-columns.ts';
import type { TenantRow } from '../tenancy/rows.ts';
import { type BulkWrite, bulkWrite, type SetTenantMfaPolicyOverridesInput } from './policy.input.ts';
import { nextOverride, overrideEvents } from './policy.service.ts';
import { TenantsPayload } from './policy.type.ts';

/** A tenant whose override changes. */
interface Change {
  tenant: TenantRow;
  after: StoredOverride & { policy: StoredPolicy };
}

/**
 * Switches the toggle of many tenants of one application by the rules of one, all or nothing. The
 * number of statements is the same for two tenants and for a thousand.
 */
export async function setTenantMfaPolicyOverrides(
  context: RequestContext,
  input: SetTenantMfaPolicyOverridesInput,
): Promise<TenantsPayload | InvalidInput | InvalidPolicy | NotFound> {
  const caller = callerOf(context);
  caller.assertMay('mfa-policy:write');
  const write = parseInput(bulkWrite, input);
  if (write instanceof InvalidInput) return write;
  return transaction(context, async (em) => {
    const tenants = await lockTenants(em, caller, write.tenantIds);
    const next = nextOverrides(tenants, write, input.enabled, context.clock.now());
    if (!Array.isArray(next)) return next;
    await save(context, em, next.filter(isChange));
    const found = new Map(next.map(({ tenant, after }) => [tenant.id, { ...tenant, override: after }]));
    const named = write.tenantIds.flatMap((id) => found.get(id) ?? []);
    return new TenantsPayload(named.map((tenant) => answer(context, tenant)));
  });
}

/**
 * @param tenants those of the named ones that there are, in the order of their ids
 * @returns the override of each tenant, or what stands in the way: of all, or of the first one that refuses
 */
export function nextOverrides(
  tenants: readonly TenantRow[],
  { tenantIds, policy }: BulkWrite,
  enabled: boolean,
  now: Date,
): { tenant: TenantRow; after: StoredOverride }[] | InvalidInput | InvalidPolicy | NotFound {
  if (tenants.length < tenantIds.length) return new NotFound('tenant');
  if (new Set(tenants.map(({ applicationId }) => applicationId)).size > 1) {
    return new InvalidInput(
      'tenantIds',
      'tenantIds must be tenants of one application; make one call for each.',
    );
  }
  const next = [];
  for (const tenant of tenants) {
    const after = nextOverride(tenant, enabled, policy ?? null, now);
    if (after instanceof InvalidPolicy) {
      return new InvalidPolicy(after.field, `${after.message} (Tenant ${tenant.id}; nothing was written.)`);
    }
    next.push({ tenant, after });
  }
  return next;
}

const isChange = (next: { tenant: TenantRow; after: StoredOverride }): next is Change =>
  next.after !== next.tenant.override && next.after.policy !== null;

async function save(context: RequestContext, em: EntityManager, changes: readonly Change[]): Promise<void> {
  const [first] = changes;
  if (first === undefined) return;
  const rows = changes.map(({ tenant, after: { enabled, policy } }) => ({
    id: tenant.id,
    enabled,
    totp: policy.totpEnabled,
    recovery_codes: policy.recoveryCodesEnabled,
    enrollment: policy.enrollment,
    grace_days: policy.gracePeriodDays,
    issuer: policy.issuer,
    version: policy.version,
    updated_at: policy.updatedAt,
  }));
  await countOf(
    em,
    sql`update tenants t set override_enabled = n.enabled, totp_enabled = n.totp, recovery_codes_enabled = n.recovery_codes,
        enrollment = n.enrollment, grace_period_days = n.grace_days, issuer = n.issuer,
        policy_version = n.version, policy_updated_at = n.updated_at
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as n(id text, enabled boolean, totp boolean, recovery_codes boolean,
        enrollment text, grace_days integer, issuer text, version integer, updated_at timestamptz)
      where t.id = n.id collate "C"`,
  );
  await record(context, em, ...changes.map(eventOf));
  await publish(
    context,
    em,
    changeOfTenants(
      first.tenant.applicationId,
      changes.map(({ tenant }) => tenant.id),
    ),
  );
}

/** One event for each tenant: that of the toggle where it was switched, and in it all that changed. */
const eventOf = ({ tenant, after }: Change): AuditEntry =>
  overrideEvents(tenant, after, after.policy).reduce((values, toggle) => ({
    ...toggle,
    detail: { ...values.detail, ...toggle.detail },
  }));
