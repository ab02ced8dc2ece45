import { defineEntity, p } from '@mikro-orm/core';
import { flag, moment, text } from '../db/columns.ts';
import { ApplicationEntity } from '../tenancy/application.entity.ts';

/** Where an application's events are sent. Few and small, as applications are. */
export const WebhookEndpointEntity = defineEntity({
  name: 'WebhookEndpoint',
  tableName: 'webhook_endpoints',
  properties: {
    id: p.uuid().primary(),
    application: () =>
      p.manyToOne(ApplicationEntity).mapToPk().columnType('text collate "C"').deleteRule('cascade'),
    url: text(),
    /** Null: all. */
    actions: p.array().columnType('text[]').nullable(),
    enabled: flag(),
    /** It answered 410, and was switched off for that. */
    gone: flag().default(false),
    keyId: text().hidden(),
    /** The sealed signing secret. */
    secret: p.blob().columnType('bytea').hidden().lazy(),
    previousKeyId: text().nullable().hidden(),
    /** The one before, which signs beside it for a while. */
    previousSecret: p.blob().columnType('bytea').nullable().hidden().lazy(),
    previousUntil: moment().nullable(),
    createdAt: moment(),
    updatedAt: moment(),
  },
  indexes: [{ name: 'webhook_endpoints_application_index', properties: ['application', 'createdAt', 'id'] }],
});
