import { defineEntity, p } from '@mikro-orm/core';
import { moment, text } from '../db/columns.ts';

/**
 * The append-only record, partitioned by month. What concerns an application as a whole stands under
 * the tenant id '', which no tenant can have.
 */
export const AuditEventEntity = defineEntity({
  name: 'AuditEvent',
  tableName: 'audit_events',
  properties: {
    tenantId: text().primary(),
    at: moment().primary(),
    id: p.uuid().primary(),
    applicationId: text(),
    action: text(),
    actor: text(),
    userId: text().nullable(),
    detail: p.json<Record<string, unknown>>().columnType('jsonb'),
  },
  indexes: [
    { name: 'audit_events_application_index', properties: ['applicationId', 'at', 'id'] },
    { name: 'audit_events_user_index', properties: ['tenantId', 'userId', 'at'] },
    { name: 'audit_events_action_index', properties: ['applicationId', 'action', 'at', 'id'] },
    { name: 'audit_events_application_user_index', properties: ['applicationId', 'userId', 'at', 'id'] },
  ],
});
