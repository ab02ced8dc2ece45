import DataLoader from 'dataloader';
import { callerOf, type RequestContext } from '../caller/context.ts';
import { staleRowOf } from '../caller/stale-reads.ts';
import { rowsOf, sql } from '../db/sql.ts';
import { effectivePolicySql } from '../policy/effective-policy-sql.ts';
import { type Connection, type PageArgs, toConnection } from '../shared/connection.ts';
import { isId, isUserId } from '../shared/text.ts';
import type { TenantRow } from '../tenancy/rows.ts';
import type { MfaState } from './mfa-state.ts';
import { isEnrolledSql, mfaStateSql, usersWithFactor } from './mfa-state-sql.ts';
import { type Subject, type SubjectColumns, subjectColumns, toSubject } from './subject.ts';
import type { UserRow } from './user.type.ts';

export interface UserKey {
  id: string;
  /** Null: whichever tenant of the boundary knows the id, if just one does. */
  tenantId: string | null;
}

export const toUserRow = (subject: Subject): UserRow => ({
  id: subject.userId,
  tenantId: subject.tenant.id,
  subject,
});

/**
 * Users by tenant and id, or by id alone; any number of them is one statement.
 * @returns null for a tenant that the caller does not see, and for an id alone that nobody has; a row
 *   without tenant for one that more than one tenant has
 */
export const userLoader = (context: RequestContext): DataLoader<UserKey, UserRow | null, string> =>
  new DataLoader(
    async (keys) => {
      context.onBatch('user', keys.length);
      const possible = keys.filter(
        ({ id, tenantId }) => isUserId(id) && (tenantId === null || isId(tenantId)),
      );
      const rows = possible.length === 0 ? [] : await readUsers(context, possible);
      const found = Map.groupBy(rows, (row) => JSON.stringify([row.userId, row.askedTenantId]));
      return keys.map(({ id, tenantId }) => {
        const [first, ...more] = found.get(JSON.stringify([id, tenantId])) ?? [];
        if (first === undefined) return null;
        return more.length > 0 ? { id, tenantId: null, subject: null } : toUserRow(toSubject(first));
      });
    },
    { cacheKeyFn: ({ id, tenantId }) => JSON.stringify([id, tenantId]) },
  );

type AskedColumns = SubjectColumns & { askedTenantId: string | null };

/** Of an id alone, two tenants that know it are as good as many. */
function readUsers(context: RequestContext, keys: readonly UserKey[]): Promise<AskedColumns[]> {
  const caller = callerOf(context);
  const [named, alone] = [true, false].map((is) => keys.filter(({ tenantId }) => (tenantId !== null) === is));
  const asked = JSON.stringify(named?.map(({ id, tenantId }) => ({ id, tenant_id: tenantId })));
  const places = [
    sql`select id collate "C" as id, tenant_id collate "C" as tenant_id, tenant_id as asked
      from jsonb_to_recordset(${asked}::jsonb) as k(id text, tenant_id text)`,
    ...(alone ?? []).map(
      ({ id }) => sql`(select u.id, u.tenant_id, null from users u join tenants b on b.id = u.tenant_id
        where u.id = ${id} and ${caller.tenantsInBoundary('b')} limit 2)`,
    ),
  ];
  return rowsOf(
    context.em,
    sql<AskedColumns>`
      with place as materialized (${sql.join(places, sql` union all `)})
      select ${subjectColumns(sql`k.id`, context.clock.now())}, k.asked as "askedTenantId"
      from place k join tenants t on t.id = k.tenant_id join applications a on a.id = t.application_id
      where ${caller.tenantsInBoundary('t')}`,
  );
}

/** A page of a tenant's users, ordered by id. */
export async function userPage(
  context: RequestContext,
  tenant: TenantRow,
  page: PageArgs,
  state: MfaState | null | undefined,
): Promise<Connection<UserRow>> {
  const now = context.clock.now();
  const [after] = page.after ?? [null];
  const users = sql`${usersWithFactor}
    join tenants t on t.id = x.tenant_id join applications a on a.id = t.application_id
    cross join lateral (${effectivePolicySql('t', 'a')}) p
    where x.tenant_id = ${tenant.id} and ${state == null ? sql`true` : sql`${mfaStateSql('p.', isEnrolledSql, now)} = ${state}`}`;
  const statement = sql<SubjectColumns>`
    select ${subjectColumns(sql`x.id`, now)}
    from ${users} and (${after}::text is null or x.id > ${after}::text collate "C")
    order by x.id limit ${page.first + 1}`;
  const stale = await context.replicaRows('users', statement);
  const subjects = (stale ?? (await rowsOf(context.em, statement))).map(toSubject);
  return toConnection(
    // A policy must not be as old as a replica's rows may be: of the tenant counts what was read before.
    subjects.map((subject) => toUserRow(stale === null ? subject : { ...subject, tenant: { ...tenant } })),
    page.first,
    ({ id }) => [id],
    async () => {
      const row = await staleRowOf(
        context,
        'totalCount',
        sql<{ count: number }>`select count(*)::int as count from ${users}`,
      );
      return row?.count ?? 0;
    },
  );
}
