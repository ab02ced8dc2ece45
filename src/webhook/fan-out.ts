import type { OnSealed } from '../audit/sealer.ts';
import { sql } from '../db/sql.ts';
import type { Clock } from '../shared/clock.ts';

/**
 * What is sealed is queued for the endpoints of its application, in the statement that seals it: an
 * event is queued once, whatever happens, and in the order of the record. Without an endpoint there
 * is nothing to write.
 *
 * The endpoints' rows are held against deletion until the statement ends; one that is gone is passed over.
 */
export const queueDeliveries =
  (clock: Clock): OnSealed =>
  (sealed, seal) => ({
    webhook_queued: sql`
      insert into webhook_deliveries
        (tenant_id, endpoint_id, seal, ordinal, application_id, event_id, event_at, action, state, queued_at)
      select s.tenant_id, w.id, h.seal, s.ordinal, s.application_id, s.event_id, s.at, s.action, 'PENDING', ${clock.now()}::timestamptz
      from ${seal} h cross join ${sealed} s join webhook_endpoints w on w.application_id = s.application_id
      where w.enabled and (w.actions is null or s.action = any(w.actions))
      for key share of w
      returning tenant_id, endpoint_id`,
    webhook_lanes_due: sql`
      insert into webhook_lanes as l (tenant_id, endpoint_id, due_at, version)
      select distinct tenant_id, endpoint_id, ${clock.now()}::timestamptz, 1 from webhook_queued
      on conflict (tenant_id, endpoint_id) do update set version = l.version + 1`,
  });
