import { callerOf, type RequestContext } from '../caller/context.ts';
import { type RawBuilder, rowOf, sql } from '../db/sql.ts';
import type { EffectivePolicyValues } from '../policy/effective-policy.ts';
import { effectivePolicyColumns, effectivePolicySql } from '../policy/effective-policy-sql.ts';
import type { PolicyValues } from '../tenancy/policy-columns.ts';
import type { ApplicationRow, TenantRow } from '../tenancy/rows.ts';
import { mfaStateSql, usersWithFactor } from '../user/mfa-state-sql.ts';
import type { PreviewCounts } from './preview.type.ts';

/*
 * The counts of a preview, in one statement. Every tenant's policy `before` and `after` the change is
 * computed, and users are looked at only where the two ask something else of them.
 *
 * `limit all` limits nothing: it keeps the planner from moving expressions up, where they would be
 * computed for each user (the policy) and for each count (the state), and leaves the plan parallel.
 */

export type UserCounts = Pick<PreviewCounts, 'usersToEnroll' | 'usersNoLongerChallenged'>;

/** What a change of an application's policy would do. */
export function countInApplication(
  context: RequestContext,
  application: ApplicationRow,
  policy: PolicyValues,
): Promise<PreviewCounts> {
  const tenants = sql`tenants t
    cross join (${applicationWith(application, application.policy)}) a1
    cross join (${applicationWith(application, policy)}) a2
    cross join lateral (${effectivePolicySql('t', 'a1')}) before
    cross join lateral (${effectivePolicySql('t', 'a2')}) after
    where t.application_id = ${application.id} and ${callerOf(context).tenantsInBoundary('t')}`;
  const changes = sql`(${membersOf('before')}) is distinct from (${membersOf('after')})`;
  return onlyRow(
    context,
    sql<PreviewCounts>`select * from (
      select count(*) filter (where ${changes})::int as "tenantsAffected",
        count(*) filter (where before.source = 'TENANT' and not ${changes})::int as "tenantsShielded"
      from ${tenants}
    ) t cross join (${usersSql(tenants, context.clock.now())}) u`,
  );
}

/** What a change of a tenant's effective policy would do to its users. */
export function countInTenant(
  context: RequestContext,
  tenant: TenantRow,
  before: EffectivePolicyValues,
  after: EffectivePolicyValues,
): Promise<UserCounts> {
  const tenants = sql`tenants t
    cross join (${policyOf(before)}) before cross join (${policyOf(after)}) after
    where t.id = ${tenant.id} and ${callerOf(context).tenantsInBoundary('t')}`;
  return onlyRow(context, usersSql(tenants, context.clock.now()));
}

/**
 * Counts users by where they stand before and after.
 * @param tenants what follows `from`: tenants `t` with the policies `before` and `after`, and a condition
 */
function usersSql(tenants: RawBuilder<unknown>, now: Date): RawBuilder<UserCounts> {
  return sql<UserCounts>`
    select count(*) filter (where s.before not in ('ENROLLED', 'OVERDUE') and s.after = 'OVERDUE')::int as "usersToEnroll",
      count(*) filter (where s.before = 'ENROLLED' and s.after <> 'ENROLLED')::int as "usersNoLongerChallenged"
    from (
      select ${mfaStateSql('p.before_', now)} as before, ${mfaStateSql('p.after_', now)} as after
      from (
        select t.id,
          before.totp_enabled as before_totp_enabled, after.totp_enabled as after_totp_enabled,
          before.enrollment as before_enrollment, after.enrollment as after_enrollment,
          before.grace_period_days as before_grace_period_days, after.grace_period_days as after_grace_period_days
        from ${tenants} and (${askedOfUsers('before')}) is distinct from (${askedOfUsers('after')})
        limit all
      ) p join (${usersWithFactor}) on x.tenant_id = p.id
      limit all
    ) s`;
}

/** Stands in for the row of an application, with the values that are stored or with others. */
const applicationWith = ({ displayName, overrideRule }: ApplicationRow, policy: PolicyValues) => sql`
  select ${displayName}::text as display_name, ${overrideRule}::text as override_rule,
    ${policy.totpEnabled}::boolean as totp_enabled, ${policy.recoveryCodesEnabled}::boolean as recovery_codes_enabled,
    ${policy.enrollment}::text as enrollment, ${policy.gracePeriodDays}::int as grace_period_days, ${policy.issuer}::text as issuer`;

const policyOf = ({ totpEnabled, enrollment, gracePeriodDays }: EffectivePolicyValues) => sql`
  select ${totpEnabled}::boolean as totp_enabled, ${enrollment}::text as enrollment, ${gracePeriodDays}::int as grace_period_days`;

const membersOf = (policy: string) =>
  sql.join(effectivePolicyColumns.map((column) => sql.ref(`${policy}.${column}`)));

/** What of a policy decides where its users stand: the grace period only where enrollment is required. */
const askedOfUsers = (policy: string) =>
  sql`${sql.ref(policy)}.totp_enabled, ${sql.ref(policy)}.enrollment,
    case when ${sql.ref(policy)}.enrollment = 'REQUIRED' then ${sql.ref(policy)}.grace_period_days end`;

/** An aggregate of everything answers one row. */
async function onlyRow<Row>({ em }: RequestContext, statement: RawBuilder<Row>): Promise<Row> {
  const row = await rowOf(em, statement);
  if (row === null) throw new Error('A count answered no row.');
  return row;
}
