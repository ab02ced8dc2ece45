import { Field, ID, ObjectType } from 'type-graphql';
import { AuthFactorType } from '../factor/rows.ts';
import { EffectivePolicy } from '../policy/policy.type.ts';
import { DateTime } from '../shared/date-time.ts';
import type { TenantRow } from '../tenancy/rows.ts';
import { Tenant } from '../tenancy/tenancy.type.ts';
import { MfaStatus } from './decision.ts';
import { MfaTrigger } from './signin.type.ts';

@ObjectType({ simpleResolvers: true, description: 'What an MFA token stands for.' })
export class MfaTokenInfo {
  @Field(() => MfaStatus, { description: 'What the step asks for.' })
  status!: MfaStatus;

  @Field(() => MfaTrigger, { description: 'The flow that leads to the sign-in.' })
  trigger!: MfaTrigger;

  @Field(() => ID, { description: 'Who signs in.' })
  userId!: string;

  @Field(() => String, { description: 'Shown in the authenticator app beside the issuer.' })
  accountName!: string;

  @Field(() => String, { description: 'The display name of the application that is signed in to.' })
  applicationName!: string;

  @Field(() => Tenant, { description: 'The tenant of the user.' })
  tenant!: TenantRow;

  @Field(() => EffectivePolicy, { description: 'What applies to the user now.' })
  effectivePolicy!: EffectivePolicy;

  @Field(() => [AuthFactorType], { description: 'Factor types that may be verified now.' })
  challengeWith!: AuthFactorType[];

  @Field(() => Boolean, {
    description:
      'True once what the step asked for has been done in this step, and verifyMfaEnrollment or verifyMfaChallenge would succeed.',
  })
  satisfied!: boolean;

  @Field(() => AuthFactorType, {
    nullable: true,
    description:
      'By which factor type it is satisfied; after a recovery code the step may enroll anew. Null while it is not.',
  })
  satisfiedBy!: AuthFactorType | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Until when no code of the active authenticator is looked at, after too many wrong ones.',
  })
  totpRetryAt!: Date | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Until when no recovery code is looked at, after too many wrong ones.',
  })
  recoveryCodeRetryAt!: Date | null;

  @Field(() => String, {
    nullable: true,
    description:
      'Where the browser goes once the step is satisfied, or given up: as given to startMfa, if its origin is still allowed.',
  })
  redirectUrl!: string | null;

  @Field(() => DateTime, { description: 'When the token expires.' })
  expiresAt!: Date;
}
