import DataLoader from 'dataloader';
import { callerOf, type RequestContext } from '../caller/context.ts';
import { staleRowsOf } from '../caller/stale-reads.ts';
import { anyOf, type RawBuilder, sql } from '../db/sql.ts';
import { effectivePolicySql } from '../policy/effective-policy-sql.ts';
import { isEnrolledSql, mfaStateSql, usersWithFactor } from './mfa-state-sql.ts';
import type { MfaStats } from './mfa-stats.type.ts';

/** Statistics by the id of a tenant. Any number of them is one statement. */
export const tenantStatsLoader = (context: RequestContext): DataLoader<string, MfaStats> =>
  statsLoader(context, 'tenantStats', sql`t.id`);

/** Statistics by the id of an application. */
export const applicationStatsLoader = (context: RequestContext): DataLoader<string, MfaStats> =>
  statsLoader(context, 'applicationStats', sql`t.application_id`);

const statsLoader = (
  context: RequestContext,
  name: string,
  owner: RawBuilder<unknown>,
): DataLoader<string, MfaStats> =>
  new DataLoader(async (ids) => {
    context.onBatch(name, ids.length);
    const rows = await readStats(context, owner, ids);
    const found = new Map(rows.map(({ owner, ...stats }) => [owner, stats]));
    return ids.map((id) => found.get(id) ?? nobody);
  });

/**
 * `limit all` limits nothing: it keeps the planner from moving the expressions up, where they would
 * be computed for each user (the policy) and for each count (the state). Unlike `offset 0` or a CTE it
 * leaves the plan parallel.
 */
function readStats(
  context: RequestContext,
  owner: RawBuilder<unknown>,
  ids: readonly string[],
): Promise<(MfaStats & { owner: string })[]> {
  return staleRowsOf(
    context,
    'mfaStats',
    sql<MfaStats & { owner: string }>`
      select s.owner, count(*)::int as users,
        count(*) filter (where s.state = 'ENROLLED')::int as enrolled,
        count(*) filter (where s.state = 'OPTIONAL')::int as optional,
        count(*) filter (where s.state = 'PENDING')::int as pending,
        count(*) filter (where s.state = 'OVERDUE')::int as overdue,
        count(*) filter (where s.state = 'EXEMPT')::int as exempt,
        count(*) filter (where s.state = 'DISABLED')::int as disabled
      from (
        select p.owner, ${mfaStateSql('p.', isEnrolledSql, context.clock.now())} as state
        from (
          select t.id, ${owner} as owner, e.totp_enabled, e.enrollment, e.grace_period_days
          from tenants t join applications a on a.id = t.application_id
          cross join lateral (${effectivePolicySql('t', 'a')}) e
          where ${owner} = ${anyOf(ids)} and ${callerOf(context).tenantsInBoundary('t')}
          limit all
        ) p join (${usersWithFactor}) on x.tenant_id = p.id
        limit all
      ) s group by s.owner`,
  );
}

const nobody: MfaStats = {
  users: 0,
  enrolled: 0,
  optional: 0,
  pending: 0,
  overdue: 0,
  exempt: 0,
  disabled: 0,
};
