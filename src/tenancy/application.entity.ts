import { defineEntity } from '@mikro-orm/core';
import { flag, integer, moment, text } from '../db/columns.ts';
import type { MfaEnrollment, OverrideRule } from './policy-columns.ts';

/** A product that signs users in, with its MFA policy. Small; may be copied to every node. */
export const ApplicationEntity = defineEntity({
  name: 'Application',
  tableName: 'applications',
  properties: {
    id: text().primary(),
    displayName: text(),
    nameKey: text(),
    overrideRule: text().$type<OverrideRule>().default('ANY'),
    totpEnabled: flag().default(false),
    recoveryCodesEnabled: flag().default(false),
    enrollment: text().$type<MfaEnrollment>().default('OPTIONAL'),
    gracePeriodDays: integer().default(0),
    issuer: text().nullable(),
    policyVersion: integer().default(1),
    policyUpdatedAt: moment(),
    createdAt: moment(),
  },
  indexes: [{ name: 'applications_name_index', properties: ['nameKey', 'id'] }],
  checks: [
    {
      name: 'applications_policy_check',
      expression:
        "override_rule in ('ANY', 'STRICTER_ONLY', 'NONE') and enrollment in ('OPTIONAL', 'REQUIRED') and grace_period_days between 0 and 365 and (totp_enabled or not (recovery_codes_enabled or enrollment = 'REQUIRED'))",
    },
  ],
});
