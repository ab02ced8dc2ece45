import { callerOf, type RequestContext } from '../caller/context.ts';
import { staleRowsOf } from '../caller/stale-reads.ts';
import { sql, toDate } from '../db/sql.ts';
import { momentAndIds, type PageArgs, type PageOf, toPage } from '../shared/connection.ts';
import { isId, isPrintable, isUserId } from '../shared/text.ts';
import type { AuditEvent, AuditFilter } from './audit.type.ts';

/** A page of an application's record inside the caller's boundary, newest first. */
export async function auditPage(
  context: RequestContext,
  applicationId: string,
  { first, after }: PageArgs,
  filter: AuditFilter,
): Promise<PageOf<AuditEvent>> {
  const caller = callerOf(context);
  const [afterAt, afterId] = after === null ? [null, null] : momentAndIds<[string]>(after);
  if (!isPossible(applicationId, filter)) return toPage<AuditEvent>([], first, () => []);
  const rows = await staleRowsOf(
    context,
    'auditEvents',
    sql<Omit<AuditEvent, 'at'> & { at: string }>`
      select e.id, e.at, e.action, e.actor, nullif(e.tenant_id, '') as "tenantId", e.user_id as "userId", e.detail::text as detail
      from audit_events e
      where e.application_id = ${applicationId} and ${caller.eventsInBoundary('e')}
        and (${filter.tenantId ?? null}::text is null or e.tenant_id = ${filter.tenantId ?? null})
        and (${filter.userId ?? null}::text is null or e.user_id = ${filter.userId ?? null})
        and (${filter.action ?? null}::text is null or e.action = ${filter.action ?? null})
        and (${filter.from ?? null}::timestamptz is null or e.at >= ${filter.from ?? null})
        and (${filter.to ?? null}::timestamptz is null or e.at < ${filter.to ?? null})
        and (${afterAt}::timestamptz is null or (e.at, e.id) < (${afterAt}::timestamptz, ${afterId}::uuid))
      order by e.at desc, e.id desc limit ${first + 1}`,
  );
  const events = rows.map((row) => ({ ...row, at: toDate(row.at) }));
  return toPage(events, first, ({ at, id }) => [at.toISOString(), id]);
}

/** What cannot be an id or an action names nothing, and the database would not take every text. */
const isPossible = (applicationId: string, { tenantId, userId, action }: AuditFilter): boolean =>
  isId(applicationId) &&
  (tenantId == null || isId(tenantId)) &&
  (userId == null || isUserId(userId)) &&
  (action == null || isPrintable(action));
