import type { EntityManager } from '@mikro-orm/postgresql';
import { auditParts } from '../audit/audit.service.ts';
import { anyOf, countOf, rowOf, rowsOf, sql, toDate } from '../db/sql.ts';
import { type Clock, secondsAfter } from '../shared/clock.ts';
import type { Ids } from '../shared/ids.ts';
import type { KeptSecret } from '../shared/key-ring.ts';
import { webhookLeaseSeconds } from '../shared/limits.ts';
import type { LaneKey } from './rows.ts';

/*
 * Lanes as the dispatchers of several servers share them. A lane is claimed by a lease: whoever holds
 * it sends its deliveries one after the other, and every write of theirs asks whether the lease is
 * still theirs. Of one that was killed the lease runs out.
 */

export interface DueLane extends LaneKey {
  applicationId: string;
}

export interface Lane extends DueLane {
  lease: string;
  /** When it was due when it was claimed. Who wants it sent at once changes that, also while it is claimed. */
  dueAt: string;
  /** Failed attempts in a row. */
  failures: number;
  /** What was added before the claim is what this version tells of. */
  version: string;
}

export interface EventContent {
  actor: string;
  userId: string | null;
  detail: Record<string, unknown>;
}

/** The delivery that is first in a lane, with what sending it takes. */
export interface NextDelivery {
  seal: string;
  ordinal: number;
  attempts: number;
  queuedAt: Date;
  event: {
    id: string;
    at: Date;
    action: string;
    tenantId: string | null;
    /** Null: it was pruned from the record. */
    content: EventContent | null;
  };
  endpointId: string;
  endpoint: { applicationId: string; url: string; enabled: boolean; secrets: KeptSecret[] };
}

export const leaseEnd = (now: Date): Date => secondsAfter(now, webhookLeaseSeconds);

/** Those that have enough lanes at work. */
export interface Busy {
  applicationIds: readonly string[];
  endpointIds: readonly string[];
}

/**
 * Lanes that are due, of those who are not busy, first what has been due for longest. They lie on many nodes, where
 * rows of one node only can be selected for update: somebody else may be faster in claiming one.
 */
export const dueLanes = (
  em: EntityManager,
  now: Date,
  { applicationIds, endpointIds }: Busy,
  countMax: number,
): Promise<DueLane[]> =>
  rowsOf(
    em,
    sql<DueLane>`
      select l.tenant_id as "tenantId", l.endpoint_id as "endpointId", w.application_id as "applicationId"
      from webhook_lanes l join webhook_endpoints w on w.id = l.endpoint_id
      where l.due_at <= ${now} and (l.leased_until is null or l.leased_until <= ${now})
        and not l.endpoint_id = any(${[...endpointIds]}::uuid[]) and not w.application_id = ${anyOf(applicationIds)}
      order by l.due_at limit ${countMax}`,
  );

/** Claims a lane. @returns null when somebody else has it, or is about to change it */
export async function claimLane(
  em: EntityManager,
  { tenantId, endpointId, applicationId }: DueLane,
  now: Date,
  lease: string,
): Promise<Lane | null> {
  const isIt = sql`tenant_id = ${tenantId} and endpoint_id = ${endpointId}`;
  const row = await rowOf(
    em,
    sql<Omit<Lane, keyof DueLane>>`
      with due as materialized (
        select 1 from webhook_lanes
        where ${isIt} and due_at <= ${now} and (leased_until is null or leased_until <= ${now}) for update skip locked
      )
      update webhook_lanes set lease = ${lease}, leased_until = ${leaseEnd(now)}
      where ${isIt} and exists (select from due)
      returning lease, failures, version::text, due_at as "dueAt"`,
  );
  return row && { tenantId, endpointId, applicationId, ...row };
}

/**
 * Removes the lanes of an endpoint that is deleted next. In this order, since whoever adds to a lane asks for its
 * endpoint when the lane is locked already.
 */
export const dropLanes = (em: EntityManager, endpointId: string): Promise<number> =>
  countOf(em, sql`delete from webhook_lanes where endpoint_id = ${endpointId}`);

/** The pending delivery that is first in the lane. */
export async function nextDelivery(
  em: EntityManager,
  lane: LaneKey,
  now: Date,
): Promise<NextDelivery | null> {
  const row = await rowOf(
    em,
    sql<{
      seal: string;
      ordinal: number;
      attempts: number;
      queuedAt: string;
      eventId: string;
      eventAt: string;
      action: string;
      actor: string | null;
      userId: string | null;
      detail: Record<string, unknown> | null;
      applicationId: string;
      url: string;
      enabled: boolean;
      keyId: string;
      secret: Buffer;
      previousKeyId: string | null;
      previousSecret: Buffer | null;
    }>`
      select d.seal::text, d.ordinal, d.attempts, d.queued_at as "queuedAt", d.event_id as "eventId", d.event_at as "eventAt", d.action,
        e.actor, e.user_id as "userId", e.detail, w.application_id as "applicationId", w.url, w.enabled, w.key_id as "keyId", w.secret,
        case when w.previous_until > ${now} then w.previous_key_id end as "previousKeyId", w.previous_secret as "previousSecret"
      from webhook_deliveries d join webhook_endpoints w on w.id = d.endpoint_id
        left join audit_events e on e.tenant_id = d.tenant_id and e.at = d.event_at and e.id = d.event_id
      where d.state = 'PENDING' and d.tenant_id = ${lane.tenantId} and d.endpoint_id = ${lane.endpointId}
      order by d.seal, d.ordinal limit 1`,
  );
  if (row === null) return null;
  const { actor, userId, detail, previousKeyId, previousSecret } = row;
  const secrets = [{ keyId: row.keyId, bytes: row.secret }];
  if (previousKeyId !== null && previousSecret !== null) {
    secrets.push({ keyId: previousKeyId, bytes: previousSecret });
  }
  return {
    seal: row.seal,
    ordinal: row.ordinal,
    attempts: row.attempts,
    queuedAt: toDate(row.queuedAt),
    event: {
      id: row.eventId,
      at: toDate(row.eventAt),
      action: row.action,
      tenantId: lane.tenantId === '' ? null : lane.tenantId,
      content: actor === null ? null : { actor, userId, detail: detail ?? {} },
    },
    endpointId: lane.endpointId,
    endpoint: { applicationId: row.applicationId, url: row.url, enabled: row.enabled, secrets },
  };
}

/** Writes that a delivery was received, and keeps the lane. @returns false when the lease is lost */
export async function markDelivered(
  em: EntityManager,
  lane: Lane,
  { seal, ordinal }: NextDelivery,
  now: Date,
): Promise<boolean> {
  const changed = await countOf(
    em,
    sql`with held as (
        update webhook_lanes set failures = 0, leased_until = ${leaseEnd(now)}
        where tenant_id = ${lane.tenantId} and endpoint_id = ${lane.endpointId} and lease = ${lane.lease} returning 1)
      update webhook_deliveries set state = 'DELIVERED', attempts = attempts + 1, last_error = null,
        last_attempt_at = ${now}, settled_at = ${now}
      where tenant_id = ${lane.tenantId} and endpoint_id = ${lane.endpointId} and seal = ${seal} and ordinal = ${ordinal}
        and exists (select from held)`,
  );
  return changed === 1;
}

/**
 * Writes that an attempt failed, and gives the lane back until the next: at once where somebody asked
 * for that while it was under way (a replay, another URL), since the failure is none of what is now.
 * @param next failures of the lane in a row; `retryAt` null: the delivery is dead, and those after it go on
 */
export async function markFailed(
  em: EntityManager,
  lane: Lane,
  { seal, ordinal }: NextDelivery,
  now: Date,
  reason: string,
  { failures, retryAt }: { failures: number; retryAt: Date | null },
): Promise<void> {
  await countOf(
    em,
    sql`with held as (
        update webhook_lanes set lease = null, leased_until = null,
          failures = case when due_at = ${lane.dueAt} then ${failures}::int else failures end,
          due_at = case when due_at = ${lane.dueAt} then ${retryAt ?? now}::timestamptz else due_at end
        where tenant_id = ${lane.tenantId} and endpoint_id = ${lane.endpointId} and lease = ${lane.lease} returning 1)
      update webhook_deliveries set attempts = attempts + 1, last_error = ${reason}, last_attempt_at = ${now},
        state = ${retryAt === null ? 'DEAD' : 'PENDING'}, settled_at = ${retryAt === null ? now : null}::timestamptz
      where tenant_id = ${lane.tenantId} and endpoint_id = ${lane.endpointId} and seal = ${seal} and ordinal = ${ordinal}
        and exists (select from held)`,
  );
}

/** Gives a lane back that has more to send, behind the others that are due. */
export async function releaseLane(em: EntityManager, lane: Lane, now: Date): Promise<void> {
  await countOf(
    em,
    sql`update webhook_lanes set due_at = ${now}, lease = null, leased_until = null
      where tenant_id = ${lane.tenantId} and endpoint_id = ${lane.endpointId} and lease = ${lane.lease}`,
  );
}

/** Removes a lane with nothing to send; where something was added since the claim, it is given back. */
export async function closeLane(em: EntityManager, lane: Lane, now: Date): Promise<void> {
  const closed = await countOf(
    em,
    sql`delete from webhook_lanes where tenant_id = ${lane.tenantId} and endpoint_id = ${lane.endpointId}
      and lease = ${lane.lease} and version = ${lane.version}`,
  );
  if (closed === 0) await releaseLane(em, lane, now);
}

/**
 * Switches off an endpoint that answered 410, and records it: nothing is sent to it, and what is
 * pending waits for it to be switched on again.
 */
export async function switchOffGone(
  em: EntityManager,
  service: { clock: Clock; ids: Ids },
  endpointId: string,
  { applicationId, url }: NextDelivery['endpoint'],
): Promise<void> {
  const event = {
    action: 'application.updated' as const,
    applicationId,
    detail: {
      webhook: {
        id: endpointId,
        change: 'updated',
        host: new URL(url).host,
        enabled: [true, false],
        gone: true,
      },
    },
  };
  await countOf(
    em,
    sql`with switched as (
        update webhook_endpoints set enabled = false, gone = true, updated_at = ${service.clock.now()}
        where id = ${endpointId} and enabled and url = ${url} returning id),
      emptied as (delete from webhook_lanes where endpoint_id in (select id from switched)),
      ${auditParts(service, 'cufflink', [event], sql`exists (select from switched)`)}
      select 1`,
  );
}

/** How many deliveries are pending in the installation. */
export async function countPending(em: EntityManager): Promise<number> {
  const row = await rowOf(
    em,
    sql<{ count: number }>`select count(*)::int as count from webhook_deliveries where state = 'PENDING'`,
  );
  return row?.count ?? 0;
}
