import { createUnionType, Directive, Field, ID, InputType, ObjectType, registerEnumType } from 'type-graphql';
import { InvalidCode, StepUpRequired, TooManyAttempts } from '../factor/factor-error.type.ts';
import { AuthFactorType } from '../factor/rows.ts';
import { connectionType } from '../shared/connection.ts';
import { DateTime } from '../shared/date-time.ts';
import { NotFound } from '../shared/user-error.type.ts';
import type { TenantRow } from '../tenancy/rows.ts';
import { Tenant } from '../tenancy/tenancy.type.ts';
import { MfaState } from './mfa-state.ts';
import type { Subject } from './subject.ts';

export const AuthFactorStatus = { PENDING: 'PENDING', ACTIVE: 'ACTIVE', DISABLED: 'DISABLED' } as const;
export type AuthFactorStatus = keyof typeof AuthFactorStatus;
export const RecoveryCodeState = { NONE: 'NONE', ACTIVE: 'ACTIVE', USED: 'USED' } as const;
export type RecoveryCodeState = keyof typeof RecoveryCodeState;

registerEnumType(AuthFactorType, {
  name: 'AuthFactorType',
  description: 'Kinds of factors.',
  valuesConfig: {
    TOTP: { description: 'Codes of an authenticator app.' },
    RECOVERY_CODE: { description: 'A single-use code that stands in for a lost authenticator.' },
  },
});
registerEnumType(AuthFactorStatus, {
  name: 'AuthFactorStatus',
  description: 'Whether a factor counts.',
  valuesConfig: {
    PENDING: { description: 'Begun, not confirmed; never counts, and expires.' },
    ACTIVE: { description: 'In use.' },
    DISABLED: {
      description:
        "Too many wrong codes in a row. It still counts as enrolled, so nobody can enroll anew around it; a recovery code or an admin's reset leads on. A recovery code is also disabled once it was used.",
    },
  },
});
registerEnumType(RecoveryCodeState, {
  name: 'RecoveryCodeState',
  description: "Where the user's recovery code stands.",
  valuesConfig: {
    NONE: { description: 'The user has none.' },
    ACTIVE: { description: 'One can be used.' },
    USED: { description: 'The last one was used, and no new one was taken.' },
  },
});
registerEnumType(MfaState, {
  name: 'MfaState',
  description: 'Where a user stands.',
  valuesConfig: {
    ENROLLED: { description: 'A TOTP factor, active or disabled, that the policy lets count.' },
    OPTIONAL: { description: 'Enrollment is optional and the user has none.' },
    PENDING: { description: 'Enrollment is required and still within the grace period.' },
    OVERDUE: { description: 'Enrollment is required now.' },
    EXEMPT: { description: 'Excused from required enrollment.' },
    DISABLED: { description: 'MFA is not enabled for the tenant.' },
  },
});

@ObjectType({ simpleResolvers: true, description: 'A factor of a user. Nobody can read its secret back.' })
export class AuthFactor {
  @Field(() => ID, { description: 'Names the factor; grants nothing.' })
  id!: string;

  @Field(() => AuthFactorType, { description: 'The kind of factor.' })
  type!: AuthFactorType;

  @Field(() => AuthFactorStatus, { description: 'Whether it counts.' })
  status!: AuthFactorStatus;

  @Field(() => Boolean, {
    description:
      'True while the effective policy has this factor type switched off. Nothing is deleted; switching on revives it.',
  })
  suspendedByPolicy!: boolean;

  @Field(() => DateTime, { description: 'When it was begun.' })
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When it was confirmed.' })
  activatedAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When a code of it was last accepted.' })
  lastUsedAt!: Date | null;
}

@ObjectType({ simpleResolvers: true, description: 'Excuses a user from required enrollment, for a time.' })
export class MfaExemption {
  @Field(() => DateTime, { description: 'When it ends by itself.' })
  until!: Date;

  @Field(() => String, { description: 'As the administrator gave it.' })
  reason!: string;

  @Field(() => String, { description: 'The sub of who granted it.' })
  grantedBy!: string;
}

@ObjectType({ simpleResolvers: true, description: "A user's MFA." })
export class UserMfa {
  @Field(() => Tenant, { description: 'The tenant the user belongs to.' })
  tenant!: TenantRow;

  @Field(() => MfaState, { description: 'Where the user stands.' })
  state!: MfaState;

  @Field(() => [AuthFactor], { description: 'Factors that count, and those that were begun.' })
  factors!: AuthFactor[];

  @Field(() => RecoveryCodeState, { description: 'Whether the user has a recovery code left.' })
  recoveryCodeState!: RecoveryCodeState;

  @Field(() => DateTime, {
    nullable: true,
    description: 'When a REQUIRED enrollment becomes due; null when none is pending.',
  })
  enrollmentDueAt!: Date | null;

  @Field(() => MfaExemption, { nullable: true, description: 'The exemption that is running, if one is.' })
  exemption!: MfaExemption | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Set while too many wrong codes hold the user back.',
  })
  lockedUntil!: Date | null;
}

/** What a User is made of: an id, and the subject where the tenant is known. */
export interface UserRow {
  id: string;
  tenantId: string | null;
  subject: Subject | null;
}

@Directive('@key(fields: "id tenantId")')
@Directive('@key(fields: "id")')
@ObjectType({
  simpleResolvers: true,
  description: 'A user of a tenant, owned by the users subgraph; this subgraph contributes `mfa`.',
})
export class User {
  @Field(() => ID, { description: 'Unique within the tenant.' })
  id!: string;

  @Field(() => ID, {
    nullable: true,
    description: 'Null when only the id was given and it does not say the tenant by itself.',
  })
  tenantId!: string | null;
}

export const UserConnection = connectionType('User', () => User);

@ObjectType({ simpleResolvers: true, description: 'The user as it is now.' })
export class UserPayload {
  @Field(() => User, { description: 'The user as it is now.' })
  user: UserRow;

  constructor(user: UserRow) {
    this.user = user;
  }
}

@InputType({ description: 'Which factor to delete.' })
export class DeleteAuthFactorInput {
  @Field(() => ID, { description: 'The factor. With the authenticator go the recovery code and open steps.' })
  id!: string;

  @Field(() => String, {
    nullable: true,
    description: "A current code of the active authenticator; needed for a factor of one's own.",
  })
  currentCode?: string | null;
}

@InputType({ description: 'Which users of a tenant to list.' })
export class UserFilter {
  @Field(() => MfaState, { nullable: true, description: 'Only users who stand there now.' })
  state?: MfaState | null;
}

export const DeleteAuthFactorResult = createUnionType({
  name: 'DeleteAuthFactorResult',
  description: 'What deleteAuthFactor answers.',
  types: () => [UserPayload, NotFound, StepUpRequired, InvalidCode, TooManyAttempts] as const,
});
