import { type RawBuilder, sql, toDate } from '../db/sql.ts';
import type { MfaEnrollment, OverrideRule, StoredOverride, StoredPolicy } from './policy-columns.ts';

export interface ApplicationRow {
  id: string;
  displayName: string;
  nameKey: string;
  overrideRule: OverrideRule;
  policy: StoredPolicy;
}

/** A tenant with all that decides its policy, read in one statement: no two reads can disagree. */
export interface TenantRow {
  id: string;
  displayName: string;
  nameKey: string;
  applicationId: string;
  application: ApplicationRow;
  override: StoredOverride;
}

interface PolicyColumns {
  totpEnabled: boolean;
  recoveryCodesEnabled: boolean;
  enrollment: MfaEnrollment;
  gracePeriodDays: number;
  issuer: string | null;
  version: number;
  updatedAt: string;
}

export interface ApplicationColumns extends PolicyColumns {
  id: string;
  displayName: string;
  nameKey: string;
  overrideRule: OverrideRule;
}

/** The application's columns carry the prefix a_, so that one flat row holds both. */
export type TenantColumns = {
  [Name in keyof ApplicationColumns as `a_${Name}`]: ApplicationColumns[Name];
} & {
  id: string;
  displayName: string;
  nameKey: string;
  overrideEnabled: boolean;
  totpEnabled: boolean | null;
  recoveryCodesEnabled: boolean | null;
  enrollment: MfaEnrollment | null;
  gracePeriodDays: number | null;
  issuer: string | null;
  version: number;
  updatedAt: string | null;
};

export const applicationColumns: RawBuilder<ApplicationColumns> = sql`
  a.id, a.display_name as "displayName", a.name_key as "nameKey", a.override_rule as "overrideRule",
  a.totp_enabled as "totpEnabled", a.recovery_codes_enabled as "recoveryCodesEnabled", a.enrollment,
  a.grace_period_days as "gracePeriodDays", a.issuer, a.policy_version as version, a.policy_updated_at as "updatedAt"`;

/** Needs `tenants t` joined with `applications a`. */
export const tenantColumns: RawBuilder<TenantColumns> = sql`
  t.id, t.display_name as "displayName", t.name_key as "nameKey", t.override_enabled as "overrideEnabled",
  t.totp_enabled as "totpEnabled", t.recovery_codes_enabled as "recoveryCodesEnabled", t.enrollment,
  t.grace_period_days as "gracePeriodDays", t.issuer, t.policy_version as version, t.policy_updated_at as "updatedAt",
  a.id as "a_id", a.display_name as "a_displayName", a.name_key as "a_nameKey", a.override_rule as "a_overrideRule",
  a.totp_enabled as "a_totpEnabled", a.recovery_codes_enabled as "a_recoveryCodesEnabled", a.enrollment as "a_enrollment",
  a.grace_period_days as "a_gracePeriodDays", a.issuer as "a_issuer", a.policy_version as "a_version", a.policy_updated_at as "a_updatedAt"`;

export function toApplication(row: ApplicationColumns): ApplicationRow {
  const { id, displayName, nameKey, overrideRule, ...policy } = row;
  return { id, displayName, nameKey, overrideRule, policy: toPolicy(policy) };
}

export const toTenant = (row: TenantColumns): TenantRow => withApplication(row, applicationOf(row));

/** Rows of one statement: those of an application share it. */
export function toTenants(rows: readonly TenantColumns[]): TenantRow[] {
  const applications = new Map<string, ApplicationRow>();
  return rows.map((row) => {
    const application = applications.get(row.a_id) ?? applicationOf(row);
    applications.set(row.a_id, application);
    return withApplication(row, application);
  });
}

const applicationOf = (row: TenantColumns): ApplicationRow => ({
  id: row.a_id,
  displayName: row.a_displayName,
  nameKey: row.a_nameKey,
  overrideRule: row.a_overrideRule,
  policy: toPolicy({
    totpEnabled: row.a_totpEnabled,
    recoveryCodesEnabled: row.a_recoveryCodesEnabled,
    enrollment: row.a_enrollment,
    gracePeriodDays: row.a_gracePeriodDays,
    issuer: row.a_issuer,
    version: row.a_version,
    updatedAt: row.a_updatedAt,
  }),
});

function withApplication(row: TenantColumns, application: ApplicationRow): TenantRow {
  return {
    id: row.id,
    displayName: row.displayName,
    nameKey: row.nameKey,
    applicationId: row.a_id,
    application,
    override: {
      enabled: row.overrideEnabled,
      // A check constraint holds that the values are there as a whole, or not at all.
      policy: row.version === 0 ? null : toPolicy(row as PolicyColumns),
    },
  };
}

function toPolicy(row: PolicyColumns): StoredPolicy {
  return {
    totpEnabled: row.totpEnabled,
    recoveryCodesEnabled: row.recoveryCodesEnabled,
    enrollment: row.enrollment,
    gracePeriodDays: row.gracePeriodDays,
    issuer: row.issuer,
    version: row.version,
    updatedAt: toDate(row.updatedAt),
  };
}

/** JSON gives moments back as text. */
export function reviveTenant(kept: TenantRow): TenantRow {
  return {
    ...kept,
    application: reviveApplication(kept.application),
    override: { ...kept.override, policy: kept.override.policy && revivePolicy(kept.override.policy) },
  };
}

export const reviveApplication = (kept: ApplicationRow): ApplicationRow => ({
  ...kept,
  policy: revivePolicy(kept.policy),
});

const revivePolicy = (kept: StoredPolicy): StoredPolicy => ({
  ...kept,
  updatedAt: new Date(kept.updatedAt),
});
