import { callerOf, type RequestContext } from '../caller/context.ts';
import { staleRowOf, staleRowsOf } from '../caller/stale-reads.ts';
import { rowsOf, sql, toDate } from '../db/sql.ts';
import { type Connection, momentAndIds, type PageArgs, toConnection } from '../shared/connection.ts';
import { isId, isUuid } from '../shared/text.ts';
import {
  type EndpointColumns,
  type EndpointRow,
  endpointColumns,
  toEndpoint,
  type WebhookDeliveryState,
} from './rows.ts';
import type { WebhookDeliveryFilter } from './webhook.input.ts';
import type { WebhookDelivery } from './webhook.type.ts';

/** The endpoints of an application inside the caller's boundary, oldest first. */
export async function endpointsOf(context: RequestContext, applicationId: string): Promise<EndpointRow[]> {
  if (!reaches(context, applicationId)) return [];
  const rows = await rowsOf(
    context.em,
    sql<EndpointColumns>`select ${endpointColumns} from webhook_endpoints w
      where w.application_id = ${applicationId} order by w.created_at, w.id`,
  );
  return rows.map(toEndpoint);
}

interface DeliveryColumns {
  endpointId: string;
  eventId: string;
  action: string;
  tenantId: string | null;
  state: WebhookDeliveryState;
  attempts: number;
  lastError: string | null;
  eventAt: string;
  lastAttemptAt: string | null;
  nextAttemptAt: string | null;
  settledAt: string | null;
}

/** A page of the deliveries of an application's events inside the caller's boundary, newest first. */
export async function deliveryPage(
  context: RequestContext,
  applicationId: string,
  { first, after }: PageArgs,
  { state, endpointId }: WebhookDeliveryFilter,
): Promise<Connection<WebhookDelivery>> {
  const [afterAt, afterEvent, afterEndpoint] =
    after === null ? [null, null, null] : momentAndIds<[string, string]>(after);
  // What cannot be the id of an endpoint names none.
  const isAny = reaches(context, applicationId) && (endpointId == null || isUuid(endpointId));
  const matches = isAny
    ? sql`d.application_id = ${applicationId} and (${state ?? null}::text is null or d.state = ${state ?? null})
        and (${endpointId ?? null}::uuid is null or d.endpoint_id = ${endpointId ?? null})`
    : sql`false`;
  const rows = await staleRowsOf(
    context,
    'webhookDeliveries',
    sql<DeliveryColumns>`
      select d.endpoint_id as "endpointId", d.event_id as "eventId", d.action, nullif(d.tenant_id, '') as "tenantId", d.state,
        d.attempts, d.last_error as "lastError", d.event_at as "eventAt", d.last_attempt_at as "lastAttemptAt",
        case when d.state = 'PENDING' then l.due_at end as "nextAttemptAt", d.settled_at as "settledAt"
      from webhook_deliveries d
        left join webhook_lanes l on l.tenant_id = d.tenant_id and l.endpoint_id = d.endpoint_id
      where ${matches} and (${afterAt}::timestamptz is null
        or (d.event_at, d.event_id, d.endpoint_id) < (${afterAt}::timestamptz, ${afterEvent}::uuid, ${afterEndpoint}::uuid))
      order by d.event_at desc, d.event_id desc, d.endpoint_id desc limit ${first + 1}`,
  );
  return toConnection(
    rows.map(toDelivery),
    first,
    (delivery) => [delivery.eventAt.toISOString(), delivery.eventId, delivery.endpointId],
    async () => {
      const row = await staleRowOf(
        context,
        'totalCount',
        sql<{ count: number }>`select count(*)::int as count from webhook_deliveries d where ${matches}`,
      );
      return row?.count ?? 0;
    },
  );
}

const toDelivery = (row: DeliveryColumns): WebhookDelivery => ({
  ...row,
  id: `${row.endpointId}:${row.eventId}`,
  eventAt: toDate(row.eventAt),
  lastAttemptAt: row.lastAttemptAt === null ? null : toDate(row.lastAttemptAt),
  nextAttemptAt: row.nextAttemptAt === null ? null : toDate(row.nextAttemptAt),
  settledAt: row.settledAt === null ? null : toDate(row.settledAt),
});

const reaches = (context: RequestContext, applicationId: string): boolean =>
  isId(applicationId) && callerOf(context).reachesApplication(applicationId);
