import { defineEntity, p } from '@mikro-orm/core';
import { moment, text } from '../db/columns.ts';
import { UserEntity } from '../user/user.entity.ts';

/** One MFA step of a sign-in, from startMfa to its finish. Its state machine: README.md beside this file. */
export const MfaStepEntity = defineEntity({
  name: 'MfaStep',
  tableName: 'mfa_steps',
  properties: {
    tenantId: text().primary(),
    id: p.uuid().primary(),
    applicationId: text(),
    user: () =>
      p
        .manyToOne(UserEntity)
        .joinColumns('tenant_id', 'user_id')
        .mapToPk()
        .updateRule('no action')
        .deleteRule('cascade'),
    /** SHA-256 of the token: 256 random bits need no slower digest. */
    tokenHash: text(),
    purpose: text(),
    trigger: text(),
    accountName: text(),
    redirectUrl: text().nullable(),
    /** How the step was satisfied: 'otp' or 'recovery'. */
    satisfiedBy: text().nullable(),
    createdAt: moment(),
    expiresAt: moment(),
    /** Finished by the sign-in service, once. */
    finishedAt: moment().nullable(),
    /** Ended before that, by an enrollment elsewhere, a deletion or a reset. */
    endedAt: moment().nullable(),
  },
  uniques: [{ name: 'mfa_steps_token_unique', properties: ['tenantId', 'tokenHash'] }],
  indexes: [
    { name: 'mfa_steps_user_index', properties: ['user'] },
    { name: 'mfa_steps_expires_at_index', properties: ['expiresAt'] },
  ],
});
