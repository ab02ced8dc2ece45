import { type RawBuilder, sql } from '../db/sql.ts';

/** A member of the effective policy, by its column. `version` is left out: by itself it changes nothing. */
export const effectivePolicyColumns = [
  'totp_enabled',
  'recovery_codes_enabled',
  'enrollment',
  'grace_period_days',
  'issuer',
  'source',
] as const;

/**
 * effectivePolicy() in SQL, for any number of tenants: a select of `effectivePolicyColumns`, to be
 * joined as `cross join lateral (...)`. A test holds the two against each other.
 *
 * @param t alias of `tenants`
 * @param a alias of the tenant's row of `applications`, or of what has its columns
 */
export function effectivePolicySql(t: string, a: string): RawBuilder<unknown> {
  const [tenant, application] = [sql.ref(t), sql.ref(a)];
  return sql`
    select
      case when r.own then ${tenant}.totp_enabled or (r.raises and ${application}.totp_enabled)
        else ${application}.totp_enabled end as totp_enabled,
      case when r.own then ${tenant}.recovery_codes_enabled
        else ${application}.recovery_codes_enabled end as recovery_codes_enabled,
      case when r.own and not (r.raises and ${application}.enrollment = 'REQUIRED') then ${tenant}.enrollment
        else ${application}.enrollment end as enrollment,
      case when not r.own then ${application}.grace_period_days
        when r.raises and ${application}.enrollment = 'REQUIRED'
          then least(${tenant}.grace_period_days, ${application}.grace_period_days)
        else ${tenant}.grace_period_days end as grace_period_days,
      coalesce(case when r.own then ${tenant}.issuer else ${application}.issuer end, ${application}.display_name) as issuer,
      case when r.own then 'TENANT' else 'APPLICATION' end as source
    from (select
      ${application}.override_rule <> 'NONE' and ${tenant}.override_enabled and ${tenant}.policy_version > 0 as own,
      ${application}.override_rule = 'STRICTER_ONLY' as raises
    ) r`;
}
