import { defineEntity, p } from '@mikro-orm/core';
import { integer, moment, text } from '../db/columns.ts';
import { UserEntity } from '../user/user.entity.ts';

/**
 * Factors that count. The primary key says that a user has at most one of each type; activating
 * another replaces the row.
 */
export const AuthFactorEntity = defineEntity({
  name: 'AuthFactor',
  tableName: 'auth_factors',
  properties: {
    user: () =>
      p
        .manyToOne(UserEntity)
        .primary()
        .joinColumns('tenant_id', 'user_id')
        .mapToPk()
        .updateRule('no action')
        .deleteRule('cascade'),
    type: text().primary(),
    id: p.uuid(),
    keyId: text().hidden(),
    /** TOTP: the sealed secret. Recovery code: its keyed digest. */
    secret: p.blob().columnType('bytea').hidden().lazy(),
    /** TOTP: the last time step accepted. Recovery code: 1 once it was redeemed. It only grows. */
    spent: p.bigint('number').default(0),
    createdAt: moment(),
    activatedAt: moment(),
    lastUsedAt: moment().nullable(),
  },
  indexes: [{ name: 'auth_factors_id_index', properties: ['id'] }],
});

/** Factors that were begun and not confirmed. They count for nothing, and expire. */
export const PendingAuthFactorEntity = defineEntity({
  name: 'PendingAuthFactor',
  tableName: 'pending_auth_factors',
  properties: {
    tenantId: text().primary(),
    id: p.uuid().primary(),
    user: () =>
      p
        .manyToOne(UserEntity)
        .joinColumns('tenant_id', 'user_id')
        .mapToPk()
        .updateRule('no action')
        .deleteRule('cascade'),
    type: text(),
    /** The step it was begun in; '' for self-service. */
    stepId: text().default(''),
    keyId: text().hidden(),
    secret: p.blob().columnType('bytea').hidden().lazy(),
    /** The active factor it may take the place of; null where there was none. */
    replaces: p.uuid().nullable(),
    /** Wrong codes so far. */
    failures: integer().default(0),
    createdAt: moment(),
    expiresAt: moment(),
  },
  uniques: [{ name: 'pending_auth_factors_one_unique', properties: ['user', 'type', 'stepId'] }],
});
