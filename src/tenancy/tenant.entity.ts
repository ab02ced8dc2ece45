import { defineEntity, p } from '@mikro-orm/core';
import { flag, integer, moment, text } from '../db/columns.ts';
import { ApplicationEntity } from './application.entity.ts';
import type { MfaEnrollment } from './policy-columns.ts';

/** A customer of an application, with its override. Whatever a tenant owns carries its id. */
export const TenantEntity = defineEntity({
  name: 'Tenant',
  tableName: 'tenants',
  properties: {
    id: text().primary(),
    application: () =>
      p.manyToOne(ApplicationEntity).mapToPk().columnType('text collate "C"').deleteRule('cascade'),
    displayName: text(),
    nameKey: text(),
    overrideEnabled: flag().default(false),
    totpEnabled: flag().nullable(),
    recoveryCodesEnabled: flag().nullable(),
    enrollment: text().$type<MfaEnrollment>().nullable(),
    gracePeriodDays: integer().nullable(),
    issuer: text().nullable(),
    /** 0 while there are no values. */
    policyVersion: integer().default(0),
    policyUpdatedAt: moment().nullable(),
    createdAt: moment(),
  },
  indexes: [{ name: 'tenants_application_name_index', properties: ['application', 'nameKey', 'id'] }],
  checks: [
    {
      name: 'tenants_policy_check',
      expression:
        "enrollment in ('OPTIONAL', 'REQUIRED') and grace_period_days between 0 and 365 and (totp_enabled or not (recovery_codes_enabled or enrollment = 'REQUIRED'))",
    },
    {
      name: 'tenants_policy_whole_check',
      expression:
        'case when policy_version = 0 then num_nonnulls(totp_enabled, recovery_codes_enabled, enrollment, grace_period_days, issuer, policy_updated_at) = 0 and not override_enabled else num_nulls(totp_enabled, recovery_codes_enabled, enrollment, grace_period_days, policy_updated_at) = 0 end',
    },
  ],
});
