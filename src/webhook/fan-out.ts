import type { OnSealed } from '../audit/sealer.ts';
import { sql } from '../db/sql.ts';
import type { Clock } from '../shared/clock.ts';

/**
 * What is sealed is queued for the endpoints of its application, in the statement that seals it: an
 * event is queued once, whatever happens, and in the order of the record. Without an endpoint there
 * is nothing to write.
 *
 * An endpoint that is deleted meanwhile is refused by its foreign key, and all with it; the next try passes it over.
 * (Its row is not locked before: on several nodes that would lock all endpoints, and sealers would wait for each other.)
 */
export const queueDeliveries =
  (clock: Clock): OnSealed =>
  (sealed, seal) => ({
    webhook_wanted: sql`
      select s.tenant_id, w.id as endpoint_id, h.seal, s.ordinal, s.application_id, s.event_id, s.at, s.action
      from ${seal} h cross join ${sealed} s join webhook_endpoints w on w.application_id = s.application_id
      where w.enabled and (w.actions is null or s.action = any(w.actions))`,
    // The lanes come first, as for whoever deletes an endpoint.
    webhook_lanes_due: sql`
      insert into webhook_lanes as l (tenant_id, endpoint_id, due_at, version)
      select distinct tenant_id, endpoint_id, ${clock.now()}::timestamptz, 1 from webhook_wanted
      on conflict (tenant_id, endpoint_id) do update set version = l.version + 1`,
    webhook_queued: sql`
      insert into webhook_deliveries
        (tenant_id, endpoint_id, seal, ordinal, application_id, event_id, event_at, action, state, queued_at)
      select tenant_id, endpoint_id, seal, ordinal, application_id, event_id, at, action, 'PENDING', ${clock.now()}::timestamptz
      from webhook_wanted`,
  });
