import { defineEntity, p } from '@mikro-orm/core';
import { integer, moment, text } from '../db/columns.ts';
import { TenantEntity } from '../tenancy/tenant.entity.ts';

/** What the service knows of a tenant's user. Users are learned of, never created on their own. */
export const UserEntity = defineEntity({
  name: 'User',
  tableName: 'users',
  properties: {
    tenant: () =>
      p
        .manyToOne(TenantEntity)
        .primary()
        .mapToPk()
        .columnType('text collate "C"')
        .updateRule('no action')
        .deleteRule('cascade'),
    id: text().primary(),
    /** Shown in the authenticator app, as the sign-in service last gave it. */
    accountName: text().nullable(),
    /** When enrollment was first required of the user; set once, never moved. */
    enrollmentRequiredAt: moment().nullable(),
    /** When the user first had an active factor; from then on there is no grace. */
    firstEnrolledAt: moment().nullable(),
    exemptUntil: moment().nullable(),
    exemptionReason: text().nullable(),
    exemptionGrantedBy: text().nullable(),
    /** Wrong codes in a row, and until when no further one is looked at. */
    totpFailures: integer().default(0),
    totpLockedUntil: moment().nullable(),
    recoveryFailures: integer().default(0),
    recoveryLockedUntil: moment().nullable(),
    createdAt: moment(),
  },
  indexes: [{ name: 'users_id_index', properties: ['id'] }],
});
