import type { EntityManager } from '@mikro-orm/postgresql';
import { type AuditEntry, changes, record } from '../audit/audit.service.ts';
import { answer, callerOf, type RequestContext, transaction } from '../caller/context.ts';
import { countOf, sql } from '../db/sql.ts';
import {
  InvalidInput,
  InvalidPolicy,
  NotFound,
  parseInput,
  VersionConflict,
} from '../shared/user-error.type.ts';
import { lockApplication, lockTenant } from '../tenancy/locks.ts';
import { publish } from '../tenancy/policy-change.ts';
import type { PolicyValues, StoredOverride, StoredPolicy } from '../tenancy/policy-columns.ts';
import type { TenantRow } from '../tenancy/rows.ts';
import { ApplicationPayload, TenantPayload } from '../tenancy/tenancy.type.ts';
import { contradictionIn, weaknessOf } from './effective-policy.ts';
import {
  type PolicyChange,
  policyWrite,
  type SetTenantMfaPolicyOverrideInput,
  type UpdateApplicationMfaPolicyInput,
  type UpdateTenantMfaPolicyInput,
  withChange,
} from './policy.input.ts';

type Refusal = InvalidInput | InvalidPolicy | VersionConflict | NotFound;

/*
 * Writers of one owner take turns at its row's lock; whoever comes second judges what the first
 * left behind. `expectedVersion` is compared under that lock.
 */

export function updateApplicationMfaPolicy(
  context: RequestContext,
  input: UpdateApplicationMfaPolicyInput,
): Promise<ApplicationPayload | Refusal> {
  const caller = callerOf(context);
  caller.assertMay('mfa-policy:write');
  return transaction(context, async (em) => {
    const application = await lockApplication(em, caller, input.applicationId);
    if (application === null) return new NotFound('application');
    const write = parseInput(policyWrite, input);
    if (write instanceof InvalidInput) return write;
    const before = application.policy;
    if (isStale(write.expectedVersion, before.version)) return new VersionConflict(before.version);
    const values = withChange(before, write.policy ?? {});
    const contradiction = contradictionIn(values);
    if (contradiction) return new InvalidPolicy(`policy.${contradiction.setting}`, contradiction.reason);
    const changed = changes(valuesOf(before), values);
    if (Object.keys(changed).length === 0) return new ApplicationPayload(answer(context, application));
    const policy = { ...values, version: before.version + 1, updatedAt: context.clock.now() };
    await countOf(em, sql`update applications set ${assignments(policy)} where id = ${application.id}`);
    await record(context, em, {
      action: 'mfa_policy.updated',
      applicationId: application.id,
      detail: { ...changed, version: [before.version, policy.version] },
    });
    await publish(context, em, { applicationIds: [application.id] });
    return new ApplicationPayload(answer(context, { ...application, policy }));
  });
}

/** Writes the override's values, whether it is on or off. */
export function updateTenantMfaPolicy(
  context: RequestContext,
  input: UpdateTenantMfaPolicyInput,
): Promise<TenantPayload | Refusal> {
  return writeOverride(context, input, (tenant) => tenant.override.enabled);
}

/** Switches the toggle, with values or without. */
export function setTenantMfaPolicyOverride(
  context: RequestContext,
  input: SetTenantMfaPolicyOverrideInput,
): Promise<TenantPayload | Refusal> {
  return writeOverride(context, input, () => input.enabled);
}

function writeOverride(
  context: RequestContext,
  input: UpdateTenantMfaPolicyInput | SetTenantMfaPolicyOverrideInput,
  switchedOn: (tenant: TenantRow) => boolean,
): Promise<TenantPayload | Refusal> {
  const caller = callerOf(context);
  caller.assertMay('mfa-policy:write');
  return transaction(context, async (em) => {
    const tenant = await lockTenant(em, caller, input.tenantId);
    if (tenant === null) return new NotFound('tenant');
    const write = parseInput(policyWrite, input);
    if (write instanceof InvalidInput) return write;
    const version = tenant.override.policy?.version ?? 0;
    if (isStale(write.expectedVersion, version)) return new VersionConflict(version);
    const after = nextOverride(tenant, switchedOn(tenant), write.policy ?? null, context.clock.now());
    if (after instanceof InvalidPolicy) return after;
    await saveOverride(context, em, tenant, after);
    return new TenantPayload(answer(context, { ...tenant, override: after }));
  });
}

/**
 * The override that results from switching the toggle and changing values; the same object when
 * nothing changes. Values that are written are judged; stored values that are only switched on are
 * not, since the effective policy raises them.
 */
export function nextOverride(
  { application, override }: Pick<TenantRow, 'application' | 'override'>,
  enabled: boolean,
  change: PolicyChange | null,
  now: Date,
): StoredOverride | InvalidPolicy {
  const before = override.policy;
  if (change === null && before === null && !enabled) return override;
  const values = withChange(before ?? application.policy, change ?? {});
  if (change !== null) {
    const objection = contradictionIn(values) ?? weaknessOf(values, application);
    if (objection) return new InvalidPolicy(`policy.${objection.setting}`, objection.reason);
  }
  const isChanged =
    before === null ||
    enabled !== override.enabled ||
    Object.keys(changes(valuesOf(before), values)).length > 0;
  return isChanged
    ? { enabled, policy: { ...values, version: (before?.version ?? 0) + 1, updatedAt: now } }
    : override;
}

async function saveOverride(
  context: RequestContext,
  em: EntityManager,
  tenant: TenantRow,
  after: StoredOverride,
): Promise<void> {
  if (after === tenant.override || after.policy === null) return;
  await countOf(
    em,
    sql`update tenants set override_enabled = ${after.enabled}, ${assignments(after.policy)} where id = ${tenant.id}`,
  );
  await record(context, em, ...overrideEvents(tenant, after, after.policy));
  await publish(context, em, { tenantIds: [tenant.id] });
}

/** One act may be two events: new values, and the toggle. */
export function overrideEvents(tenant: TenantRow, after: StoredOverride, policy: StoredPolicy): AuditEntry[] {
  const before = tenant.override;
  const about = { applicationId: tenant.applicationId, tenantId: tenant.id };
  const version = [before.policy?.version ?? 0, policy.version];
  const changed = changes<Partial<PolicyValues>>(
    before.policy ? valuesOf(before.policy) : {},
    valuesOf(policy),
  );
  const events: AuditEntry[] = [];
  if (Object.keys(changed).length > 0) {
    events.push({ ...about, action: 'mfa_policy_override.updated', detail: { ...changed, version } });
  }
  if (after.enabled !== before.enabled) {
    const action = after.enabled ? 'mfa_policy_override.enabled' : 'mfa_policy_override.disabled';
    events.push({ ...about, action, detail: { version } });
  }
  return events;
}

const isStale = (expected: number | null | undefined, stored: number): boolean =>
  expected != null && expected !== stored;

const valuesOf = ({ version: _version, updatedAt: _updatedAt, ...values }: StoredPolicy): PolicyValues =>
  values;

const assignments = (policy: StoredPolicy) => sql`
  totp_enabled = ${policy.totpEnabled}, recovery_codes_enabled = ${policy.recoveryCodesEnabled},
  enrollment = ${policy.enrollment}, grace_period_days = ${policy.gracePeriodDays}, issuer = ${policy.issuer},
  policy_version = ${policy.version}, policy_updated_at = ${policy.updatedAt}`;
