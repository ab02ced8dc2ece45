import type { EntityManager } from '@mikro-orm/postgresql';
import { changes, record } from '../audit/audit.service.ts';
import { callerOf, type RequestContext, transaction } from '../caller/context.ts';
import { anyOf, countOf, rowOf, rowsOf, sql } from '../db/sql.ts';
import { once } from '../idempotency/idempotency.service.ts';
import { secondsAfter } from '../shared/clock.ts';
import { webhookEndpointsMax, webhookPreviousSecretHours, webhookReplayMax } from '../shared/limits.ts';
import { isUuid } from '../shared/text.ts';
import { InvalidInput, NotFound, parseInput } from '../shared/user-error.type.ts';
import { lockApplication } from '../tenancy/locks.ts';
import { DeletedPayload } from '../tenancy/tenancy.type.ts';
import { dropLanes } from './lane.ts';
import { type EndpointColumns, type EndpointRow, endpointColumns, toEndpoint } from './rows.ts';
import { newSecret, secretPlace } from './signing.ts';
import { assertMayManageWebhooks } from './webhook.access.ts';
import {
  type CreateWebhookEndpointInput,
  endpointChange,
  newEndpoint,
  type ReplayWebhookDeliveriesInput,
  type RotateWebhookSecretInput,
  type UpdateWebhookEndpointInput,
} from './webhook.input.ts';
import { WebhookDeliveriesReplayed, WebhookEndpointPayload, WebhookSecretPayload } from './webhook.type.ts';

export async function createWebhookEndpoint(
  context: RequestContext,
  input: CreateWebhookEndpointInput,
): Promise<WebhookSecretPayload | InvalidInput | NotFound> {
  const caller = callerOf(context);
  assertMayManageWebhooks(caller);
  const valid = parseInput(newEndpoint(context.loopbackWebhooks), input);
  if (valid instanceof InvalidInput) return valid;
  return once<WebhookSecretPayload | InvalidInput | NotFound>(context, {
    mutation: 'createWebhookEndpoint',
    key: valid.idempotencyKey,
    input,
    async act(em) {
      // Under this lock the number of endpoints stands still.
      const application = await lockApplication(em, caller, input.applicationId);
      if (application === null) return new NotFound('application');
      const { enabled } = input;
      const { url, actions } = valid;
      const id = context.ids.next();
      const now = context.clock.now();
      const { kept, shown } = newSecret(context.keyRing, secretPlace(application.id, id));
      const created = await rowOf(
        em,
        sql<EndpointColumns>`
          insert into webhook_endpoints as w (id, application_id, url, actions, enabled, key_id, secret, created_at, updated_at)
          select ${id}, ${application.id}, ${url}, ${actions}::text[], ${enabled}, ${kept.keyId}, ${kept.bytes}::bytea, ${now}::timestamptz, ${now}::timestamptz
          where (select count(*) from webhook_endpoints where application_id = ${application.id}) < ${webhookEndpointsMax}
          returning ${endpointColumns}`,
      );
      if (created === null) return tooMany();
      await tell(context, em, toEndpoint(created), 'created', { actions, enabled });
      return new WebhookSecretPayload(toEndpoint(created), shown);
    },
    // The secret is not kept.
    keep: (given) => ('endpoint' in given ? { endpoint: given.endpoint } : { code: given.code }),
    restore: ({ endpoint, code }) => {
      if (endpoint) return new WebhookSecretPayload(toEndpoint(endpoint as EndpointColumns), null);
      return code === 'NOT_FOUND' ? new NotFound('application') : tooMany();
    },
  });
}

const tooMany = () =>
  new InvalidInput(
    'applicationId',
    `applicationId has ${webhookEndpointsMax} endpoints, which is the most; change or delete one.`,
  );

export function updateWebhookEndpoint(
  context: RequestContext,
  input: UpdateWebhookEndpointInput,
): Promise<WebhookEndpointPayload | InvalidInput | NotFound> {
  assertMayManageWebhooks(callerOf(context));
  return transaction(context, async (em) => {
    const before = await lockEndpoint(context, em, input.id);
    if (before === null) return new NotFound('webhook endpoint');
    const valid = parseInput(endpointChange(context.loopbackWebhooks), input);
    if (valid instanceof InvalidInput) return valid;
    const enabled = input.enabled ?? before.enabled;
    const after: EndpointRow = {
      ...before,
      url: valid.url ?? before.url,
      actions: input.actions === undefined ? before.actions : valid.actions,
      enabled,
      gone: before.gone && !enabled,
    };
    const changed = changes(shown(before), shown(after));
    if (Object.keys(changed).length === 0) return new WebhookEndpointPayload(before);
    after.updatedAt = context.clock.now();
    await countOf(
      em,
      sql`update webhook_endpoints set url = ${after.url}, actions = ${after.actions}::text[], enabled = ${after.enabled},
        gone = ${after.gone}, updated_at = ${after.updatedAt} where id = ${after.id}`,
    );
    if (after.enabled) await wake(context, em, after.id);
    else await countOf(em, sql`delete from webhook_lanes where endpoint_id = ${after.id}`);
    const { url: _url, actions, ...others } = changed;
    await tell(context, em, after, 'updated', {
      ...others,
      ...(actions && { actions: [before.actions, after.actions] }),
      // Paths and queries may carry a secret of the receiver's.
      ...(changed['url'] && { url: 'changed' }),
    });
    return new WebhookEndpointPayload(after);
  });
}

export function rotateWebhookSecret(
  context: RequestContext,
  { id, endPrevious }: RotateWebhookSecretInput,
): Promise<WebhookSecretPayload | NotFound> {
  assertMayManageWebhooks(callerOf(context));
  return transaction(context, async (em) => {
    const endpoint = await lockEndpoint(context, em, id);
    if (endpoint === null) return new NotFound('webhook endpoint');
    const now = context.clock.now();
    const { kept, shown } = newSecret(context.keyRing, secretPlace(endpoint.applicationId, id));
    const previous = endPrevious
      ? sql`previous_key_id = null, previous_secret = null, previous_until = null`
      : sql`previous_key_id = key_id, previous_secret = secret,
          previous_until = ${secondsAfter(now, webhookPreviousSecretHours * 3600)}`;
    await countOf(
      em,
      sql`update webhook_endpoints set ${previous}, key_id = ${kept.keyId}, secret = ${kept.bytes}, updated_at = ${now} where id = ${id}`,
    );
    await tell(context, em, endpoint, 'secret rotated', { endPrevious });
    return new WebhookSecretPayload({ ...endpoint, updatedAt: now }, shown);
  });
}

export function deleteWebhookEndpoint(
  context: RequestContext,
  id: string,
): Promise<DeletedPayload | NotFound> {
  assertMayManageWebhooks(callerOf(context));
  return transaction(context, async (em) => {
    const endpoint = await lockEndpoint(context, em, id);
    if (endpoint === null) return new NotFound('webhook endpoint');
    await dropLanes(em, id);
    await countOf(em, sql`delete from webhook_endpoints where id = ${id}`);
    await tell(context, em, endpoint, 'deleted', {});
    return new DeletedPayload(id);
  });
}

/** Dead deliveries become pending in the places that they had; nobody is asked to wait for them. */
export function replayWebhookDeliveries(
  context: RequestContext,
  { endpointId, eventIds }: ReplayWebhookDeliveriesInput,
): Promise<WebhookDeliveriesReplayed | NotFound> {
  assertMayManageWebhooks(callerOf(context));
  return transaction(context, async (em) => {
    const endpoint = await lockEndpoint(context, em, endpointId);
    if (endpoint === null) return new NotFound('webhook endpoint');
    const which = eventIds ? sql`event_id::text = ${anyOf(eventIds)}` : sql`true`;
    const replayed = await rowsOf(
      em,
      sql`update webhook_deliveries set state = 'PENDING', attempts = 0, queued_at = ${context.clock.now()}, settled_at = null
        where (tenant_id, endpoint_id, seal, ordinal) in (
          select tenant_id, endpoint_id, seal, ordinal from webhook_deliveries
          where endpoint_id = ${endpointId} and state = 'DEAD' and ${which}
          order by event_at, event_id limit ${webhookReplayMax}) and state = 'DEAD'
        returning 1`,
    );
    if (replayed.length > 0) {
      if (endpoint.enabled) await wake(context, em, endpointId);
      await tell(context, em, endpoint, 'replayed', { deliveries: replayed.length });
    }
    return new WebhookDeliveriesReplayed(replayed.length);
  });
}

/**
 * Reads an endpoint inside the boundary and keeps its row locked; what is sealed meanwhile need not wait.
 * Its application's row comes first, as for whoever makes an endpoint or deletes the application.
 */
async function lockEndpoint(
  context: RequestContext,
  em: EntityManager,
  id: string,
): Promise<EndpointRow | null> {
  if (!isUuid(id)) return null;
  const { applicationId } = callerOf(context);
  const isIt = sql`w.id = ${id} and (${applicationId}::text is null or w.application_id = ${applicationId})`;
  await rowOf(
    em,
    sql`select a.id from applications a join webhook_endpoints w on w.application_id = a.id
      where ${isIt} for no key update of a`,
  );
  const row = await rowOf(
    em,
    sql<EndpointColumns>`select ${endpointColumns} from webhook_endpoints w where ${isIt} for no key update`,
  );
  return row && toEndpoint(row);
}

/** What is pending for an endpoint is due now, whatever happened before. */
async function wake(context: RequestContext, em: EntityManager, endpointId: string): Promise<void> {
  await countOf(
    em,
    sql`insert into webhook_lanes as l (tenant_id, endpoint_id, due_at, version)
      select distinct tenant_id, endpoint_id, ${context.clock.now()}::timestamptz, 1 from webhook_deliveries
      where endpoint_id = ${endpointId} and state = 'PENDING'
      on conflict (tenant_id, endpoint_id) do update set due_at = excluded.due_at, failures = 0, version = l.version + 1`,
  );
}

/** What of an endpoint can be changed, in a form that can be compared. */
const shown = ({ url, actions, enabled }: EndpointRow) => ({
  url,
  actions: actions?.join() ?? null,
  enabled,
});

/** Of the URL, only the host. */
const tell = (
  context: RequestContext,
  em: EntityManager,
  { id, applicationId, url }: EndpointRow,
  change: string,
  detail: object,
): Promise<void> =>
  record(context, em, {
    action: 'application.updated',
    applicationId,
    detail: { webhook: { id, change, host: new URL(url).host, ...detail } },
  });
