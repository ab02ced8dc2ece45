import DataLoader from 'dataloader';
import type { Caller } from '../caller/caller.ts';
import { callerOf, type RequestContext } from '../caller/context.ts';
import { staleRowOf, staleRowsOf } from '../caller/stale-reads.ts';
import { anyOf, hot, likePattern, rowsOf, sql } from '../db/sql.ts';
import { type Connection, type PageArgs, toConnection } from '../shared/connection.ts';
import { isId, isPrintable, nameKey } from '../shared/text.ts';
import {
  type ApplicationColumns,
  type ApplicationRow,
  applicationColumns,
  type TenantColumns,
  type TenantRow,
  tenantColumns,
  toApplication,
  toTenant,
  toTenants,
} from './rows.ts';

/*
 * Batched reads of one request. Every statement carries the caller's boundary: rows outside it do
 * not exist, whichever way they are asked for.
 */

export interface TenantFilter {
  search?: string | null;
  overrideEnabled?: boolean | null;
}

export interface TenantPageKey {
  applicationId: string;
  page: PageArgs;
  filter: TenantFilter;
}

/** Tenants by id; null where the caller sees none. What is not remembered is one statement, however many they are. */
export const tenantLoader = (context: RequestContext): DataLoader<string, TenantRow | null> =>
  new DataLoader(async (ids) => loadTenants(context, ids));

/**
 * The same without a promise for each: at once where all are remembered.
 *
 * What is remembered and lies outside the caller's boundary is asked for as what is not known at all:
 * that it is there must not be told by the time it takes.
 */
export function loadTenants(
  context: RequestContext,
  ids: readonly string[],
): (TenantRow | null)[] | Promise<(TenantRow | null)[]> {
  const { policies } = context;
  const caller = callerOf(context);
  const remembered = ids.map((id) => {
    const tenant = policies.tenant(id);
    return tenant && caller.reachesTenant(tenant) ? tenant : null;
  });
  return remembered.includes(null)
    ? filled(ids, remembered, (unknown) =>
        policies.reads.read(caller.boundaryKey, unknown, (all) => storedTenants(context, all)),
      )
    : remembered;
}

/** Applications by id; null where the caller sees none. Likewise. */
export const applicationLoader = (context: RequestContext): DataLoader<string, ApplicationRow | null> =>
  new DataLoader((ids) =>
    filled(
      ids,
      ids.map((id) => {
        const application = context.policies.application(id);
        return application && callerOf(context).seesApplication(id) ? application : null;
      }),
      async (unknown) => new Map((await storedApplications(context, unknown)).map((row) => [row.id, row])),
    ),
  );

async function filled<Row>(
  ids: readonly string[],
  remembered: readonly (Row | null)[],
  read: (ids: readonly string[]) => Promise<ReadonlyMap<string, Row>>,
): Promise<(Row | null)[]> {
  const found = await read(ids.filter((_, n) => remembered[n] === null));
  return ids.map((id, n) => remembered[n] ?? found.get(id) ?? null);
}

/** The feed's position is read by the same statement: up to there the rows hold. */
const feedPosition = sql<{ feedPosition: string }>`(select position from policy_feed) as "feedPosition"`;

/** Tenants inside the caller's boundary, from the database. */
export async function storedTenants(context: RequestContext, asked: readonly string[]): Promise<TenantRow[]> {
  const ids = asked.filter(isId);
  if (ids.length === 0) return [];
  context.onBatch('tenant', ids.length);
  const rows = await rowsOf(
    context.em,
    hot(sql<TenantColumns & { feedPosition: string }>`
      select ${tenantColumns}, ${feedPosition} ${fromTenants(callerOf(context), ids)}`),
  );
  const tenants = toTenants(rows);
  if (rows[0]) context.policies.keepTenants(tenants, Number(rows[0].feedPosition));
  return tenants;
}

/** Applications inside the caller's boundary, from the database. */
export async function storedApplications(
  context: RequestContext,
  asked: readonly string[],
): Promise<ApplicationRow[]> {
  const ids = asked.filter(isId);
  if (ids.length === 0) return [];
  context.onBatch('application', ids.length);
  const rows = await rowsOf(
    context.em,
    hot(sql<ApplicationColumns & { feedPosition: string }>`
      select ${applicationColumns}, ${feedPosition} from applications a
      where a.id = ${anyOf(ids)} and ${callerOf(context).applicationsInBoundary('a')}`),
  );
  const applications = rows.map(toApplication);
  if (rows[0]) context.policies.keepApplications(applications, Number(rows[0].feedPosition));
  return applications;
}

const fromTenants = (caller: Caller, ids: readonly string[]) => sql`
  from tenants t join applications a on a.id = t.application_id
  where t.id = ${anyOf(ids)} and ${caller.tenantsInBoundary('t')}`;

/**
 * Pages of tenants of applications, ordered by (name, id). The pages of many applications that are
 * asked with the same arguments are one statement.
 */
export const tenantPageLoader = (
  context: RequestContext,
): DataLoader<TenantPageKey, Connection<TenantRow>, string> =>
  new DataLoader(
    async (keys) => {
      context.onBatch('tenantPage', keys.length);
      const pages = await groupedBy(keys, questionOf, (group) => readPages(context, group));
      const counts = context.once(tenantCountLoader);
      return keys.map((key) =>
        toConnection(
          pages.get(key) ?? [],
          key.page.first,
          (tenant) => [tenant.nameKey, tenant.id],
          () => counts.load(key),
        ),
      );
    },
    { cacheKeyFn: (key) => JSON.stringify([key.applicationId, questionOf(key)]) },
  );

const tenantCountLoader = (context: RequestContext): DataLoader<TenantPageKey, number, string> =>
  new DataLoader(
    async (keys) => {
      context.onBatch('tenantCount', keys.length);
      const counts = await groupedBy(keys, filterOf, async (group) => {
        const rows = await staleRowsOf(
          context,
          'totalCount',
          sql<{ id: string; count: number }>`
            select t.application_id as id, count(*)::int as count from tenants t
            where t.application_id = ${anyOf(group.map((key) => key.applicationId))}
              and ${callerOf(context).tenantsInBoundary('t')} and ${matches(group[0]?.filter ?? {})}
            group by t.application_id`,
        );
        return new Map(rows.map((row) => [row.id, row.count]));
      });
      return keys.map((key) => counts.get(key) ?? 0);
    },
    { cacheKeyFn: (key) => JSON.stringify([key.applicationId, filterOf(key)]) },
  );

async function readPages(
  context: RequestContext,
  group: readonly TenantPageKey[],
): Promise<Map<string, TenantRow[]>> {
  const { page, filter } = group[0] as TenantPageKey;
  const [afterName, afterId] = page.after ?? [null, null];
  const pageOf = (applicationId: string) => sql`(
    select ${tenantColumns} from tenants t join applications a on a.id = t.application_id
    where t.application_id = ${applicationId} and ${callerOf(context).tenantsInBoundary('t')} and ${matches(filter)}
      and (${afterId}::text is null or (t.name_key, t.id) > (${afterName}::text collate "C", ${afterId}::text collate "C"))
    order by t.name_key, t.id limit ${page.first + 1})`;
  const rows = await rowsOf(
    context.em,
    sql<TenantColumns>`select * from (
      ${sql.join(
        group.map((key) => pageOf(key.applicationId)),
        sql` union all `,
      )}
    ) pages order by "a_id", "nameKey", id`,
  );
  return Map.groupBy(rows.map(toTenant), (tenant) => tenant.applicationId);
}

/** A page of the applications inside the boundary, ordered by (name, id). */
export async function applicationPage(
  context: RequestContext,
  page: PageArgs,
  search: string | null | undefined,
): Promise<Connection<ApplicationRow>> {
  const [afterName, afterId] = page.after ?? [null, null];
  const inBoundary = callerOf(context).applicationsInBoundary('a');
  const rows = await rowsOf<ApplicationColumns>(
    context.em,
    sql`select ${applicationColumns} from applications a
      where ${inBoundary} and ${nameMatches('a', search)}
        and (${afterId}::text is null or (a.name_key, a.id) > (${afterName}::text collate "C", ${afterId}::text collate "C"))
      order by a.name_key, a.id limit ${page.first + 1}`,
  );
  return toConnection(
    rows.map(toApplication),
    page.first,
    (application) => [application.nameKey, application.id],
    async () => {
      const row = await staleRowOf(
        context,
        'totalCount',
        sql<{ count: number }>`select count(*)::int as count from applications a
          where ${inBoundary} and ${nameMatches('a', search)}`,
      );
      return row?.count ?? 0;
    },
  );
}

const matches = ({ search, overrideEnabled }: TenantFilter) =>
  sql`${nameMatches('t', search)} and (${overrideEnabled ?? null}::boolean is null or t.override_enabled = ${overrideEnabled ?? null})`;

function nameMatches(alias: string, search: string | null | undefined) {
  if (!search) return sql`true`;
  // No name holds such characters, and PostgreSQL takes no U+0000 at all.
  if (!isPrintable(search)) return sql`false`;
  return sql`${sql.ref(`${alias}.name_key`)} like ${likePattern(nameKey(search))}`;
}

const filterOf = ({ filter }: TenantPageKey): string =>
  JSON.stringify([filter.search ?? null, filter.overrideEnabled ?? null]);

const questionOf = (key: TenantPageKey): string => JSON.stringify([key.page, filterOf(key)]);

/** Reads each group of keys that ask the same of different applications at once. */
async function groupedBy<Value>(
  keys: readonly TenantPageKey[],
  question: (key: TenantPageKey) => string,
  read: (group: readonly TenantPageKey[]) => Promise<Map<string, Value>>,
): Promise<Map<TenantPageKey, Value>> {
  const answers = new Map<TenantPageKey, Value>();
  for (const group of Map.groupBy(keys, question).values()) {
    const values = await read(group);
    for (const key of group) {
      const value = values.get(key.applicationId);
      if (value !== undefined) answers.set(key, value);
    }
  }
  return answers;
}
