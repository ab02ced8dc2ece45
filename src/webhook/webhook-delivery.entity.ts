import { defineEntity, p } from '@mikro-orm/core';
import { integer, moment, text } from '../db/columns.ts';
import type { WebhookDeliveryState } from './rows.ts';
import { WebhookEndpointEntity } from './webhook-endpoint.entity.ts';

const endpoint = () =>
  p.manyToOne(WebhookEndpointEntity).mapToPk().columnType('uuid').deleteRule('cascade').primary();

/** One event for one endpoint. What concerns an application as a whole stands under the tenant id ''. */
export const WebhookDeliveryEntity = defineEntity({
  name: 'WebhookDelivery',
  tableName: 'webhook_deliveries',
  properties: {
    tenantId: text().primary(),
    endpoint,
    /** Seal and ordinal are the event's place in the record: the order in which it is sent. */
    seal: p.bigint().primary(),
    ordinal: integer().primary(),
    applicationId: text(),
    eventId: p.uuid(),
    eventAt: moment(),
    action: text(),
    state: text().$type<WebhookDeliveryState>(),
    attempts: integer().default(0),
    /** A few words of ours; nothing that the endpoint answered. */
    lastError: text().nullable(),
    lastAttemptAt: moment().nullable(),
    queuedAt: moment(),
    /** When it was delivered, or given up. */
    settledAt: moment().nullable(),
  },
  indexes: [
    {
      name: 'webhook_deliveries_state_index',
      properties: ['state', 'tenantId', 'endpoint', 'seal', 'ordinal'],
    },
    {
      name: 'webhook_deliveries_application_index',
      properties: ['applicationId', 'eventAt', 'eventId', 'endpoint'],
    },
    { name: 'webhook_deliveries_endpoint_index', properties: ['endpoint', 'eventId'] },
    { name: 'webhook_deliveries_settled_index', properties: ['settledAt'] },
  ],
  checks: [
    {
      name: 'webhook_deliveries_state_check',
      expression: "state in ('PENDING', 'DELIVERED', 'DEAD') and (state = 'PENDING') = (settled_at is null)",
    },
  ],
});

/**
 * A line of pending deliveries: those of one tenant for one endpoint, sent one after the other. It is
 * there while something may be pending in it.
 */
export const WebhookLaneEntity = defineEntity({
  name: 'WebhookLane',
  tableName: 'webhook_lanes',
  properties: {
    tenantId: text().primary(),
    endpoint,
    /** When its first delivery may be sent. */
    dueAt: moment(),
    /** Failed attempts in a row. */
    failures: integer().default(0),
    /** Who works on it, and until when nobody else may. */
    lease: p.uuid().nullable(),
    leasedUntil: moment().nullable(),
    /** Grows with whatever is added: an empty lane is only removed if nothing was added since. */
    version: p.bigint(),
  },
  indexes: [
    { name: 'webhook_lanes_due_index', properties: ['dueAt'] },
    { name: 'webhook_lanes_endpoint_index', properties: ['endpoint'] },
  ],
});
