import { callerOf, type RequestContext } from '../caller/context.ts';
import { staleRowOf } from '../caller/stale-reads.ts';
import { type RawBuilder, sql } from '../db/sql.ts';
import type { EffectivePolicyValues } from '../policy/effective-policy.ts';
import { effectivePolicyColumns, effectivePolicySql } from '../policy/effective-policy-sql.ts';
import type { PolicyValues } from '../tenancy/policy-columns.ts';
import type { ApplicationRow, TenantRow } from '../tenancy/rows.ts';
import { mfaStateSql } from '../user/mfa-state-sql.ts';
import type { PreviewCounts } from './preview.type.ts';

/*
 * The counts of a preview, in one statement. Every tenant's policy `before` and `after` the change is
 * computed; users are looked at only where more is asked of them (REQUIRED, which only goes with TOTP on,
 * or a shorter grace period), and factors only where TOTP goes off.
 *
 * `limit all` limits nothing: it keeps the planner from moving the policy's expressions up, where they
 * would be computed for each user, and leaves the plan parallel.
 */

type UserCounts = Pick<PreviewCounts, 'usersToEnroll' | 'usersNoLongerChallenged'>;

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

/** What changes of many tenants' effective policies would do to their users, together. */
export function countInTenants(
  context: RequestContext,
  changes: readonly { tenantId: string; before: EffectivePolicyValues; after: EffectivePolicyValues }[],
): Promise<UserCounts> {
  const policies = (which: 'before' | 'after') => {
    const rows = changes.map(({ tenantId, [which]: policy }) => ({
      tenant_id: tenantId,
      totp_enabled: policy.totpEnabled,
      enrollment: policy.enrollment,
      grace_period_days: policy.gracePeriodDays,
    }));
    return sql`jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as ${sql.ref(which)}(
      tenant_id text collate "C", totp_enabled boolean, enrollment text, grace_period_days int)`;
  };
  const tenants = sql`tenants t
    join ${policies('before')} on before.tenant_id = t.id join ${policies('after')} on after.tenant_id = t.id
    where ${callerOf(context).tenantsInBoundary('t')}`;
  return onlyRow(context, usersSql(tenants, context.clock.now()));
}

/**
 * Counts users by what becomes of them. Who is enrolled is challenged for as long as TOTP is on, so
 * their factors are all there is to count; of the others, some are let in, and some have to enroll.
 *
 * Conditions say what a thing is not where they could say what it is: of an equation with an expression
 * the planner takes for granted that next to nothing fulfils it, and then reads users one by one.
 *
 * @param tenants what follows `from`: tenants `t` with the policies `before` and `after`, and a condition
 */
function usersSql(tenants: RawBuilder<unknown>, now: Date): RawBuilder<UserCounts> {
  const unenrolled = (policy: string) => mfaStateSql(policy, sql`false`, now);
  return sql<UserCounts>`
    select (
      select count(*)::int from (
        select t.id,
          before.totp_enabled as before_totp_enabled, after.totp_enabled as after_totp_enabled,
          before.enrollment as before_enrollment, after.enrollment as after_enrollment,
          before.grace_period_days as before_grace_period_days, after.grace_period_days as after_grace_period_days
        from ${tenants} and after.enrollment <> 'OPTIONAL'
          and (before.enrollment <> after.enrollment or before.grace_period_days > after.grace_period_days)
        limit all
      ) p join users x on x.tenant_id = p.id
      where ${unenrolled('p.before_')} <> 'OVERDUE'
        and ${unenrolled('p.after_')} not in ('DISABLED', 'EXEMPT', 'OPTIONAL', 'PENDING')
        and not exists (
          select from auth_factors f where f.tenant_id = x.tenant_id and f.user_id = x.id and f.type = 'TOTP'
        )
    ) as "usersToEnroll", (
      select count(*)::int from (
        select t.id from ${tenants} and before.totp_enabled and not after.totp_enabled
        limit all
      ) p join auth_factors f on f.tenant_id = p.id and f.type = 'TOTP'
    ) as "usersNoLongerChallenged"`;
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

/** An aggregate of everything answers one row. */
async function onlyRow<Row>(context: RequestContext, statement: RawBuilder<Row>): Promise<Row> {
  const row = await staleRowOf(context, 'preview', statement);
  if (row === null) throw new Error('A count answered no row.');
  return row;
}
