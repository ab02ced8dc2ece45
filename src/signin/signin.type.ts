import { createUnionType, Field, ID, ObjectType, registerEnumType } from 'type-graphql';
import {
  FactorNotAllowed,
  InvalidCode,
  InvalidMfaToken,
  MfaNotSatisfied,
  StepUpRequired,
  TooManyAttempts,
} from '../factor/factor-error.type.ts';
import { DateTime } from '../shared/date-time.ts';
import { InvalidInput, NotFound } from '../shared/user-error.type.ts';
import { AuthFactor, RecoveryCodeState } from '../user/user.type.ts';
import { IdentityProvider, MfaReason, MfaStatus } from './decision.ts';

export const MfaTrigger = {
  LOGIN: 'LOGIN',
  SIGNUP: 'SIGNUP',
  USER_INVITE: 'USER_INVITE',
  PASSWORD_RESET: 'PASSWORD_RESET',
} as const;
export type MfaTrigger = keyof typeof MfaTrigger;

registerEnumType(MfaTrigger, {
  name: 'MfaTrigger',
  description: 'The flow that leads to the sign-in.',
  valuesConfig: {
    LOGIN: { description: 'The user signs in.' },
    SIGNUP: { description: 'The user has just signed up.' },
    USER_INVITE: { description: 'The user follows an invitation.' },
    PASSWORD_RESET: { description: 'The user has just reset the password.' },
  },
});
registerEnumType(MfaStatus, {
  name: 'MfaStatus',
  description: 'Where the sign-in stands.',
  valuesConfig: {
    AUTHENTICATED: { description: 'Nothing more is asked; let the user in.' },
    MFA_ENROLLMENT_REQUIRED: { description: 'The user must enroll first.' },
    MFA_CHALLENGE_REQUIRED: { description: 'The user must answer a challenge first.' },
  },
});
registerEnumType(MfaReason, {
  name: 'MfaReason',
  description: 'The rule that decided.',
  valuesConfig: {
    EXTERNAL_IDENTITY_PROVIDER: {
      description: 'The user came through an external identity provider, which enforces its own MFA.',
    },
    MFA_NOT_ENABLED: { description: 'The effective policy has TOTP off.' },
    ENROLLMENT_OPTIONAL: { description: 'Enrollment is optional, and the user has not enrolled.' },
    ENROLLMENT_REQUIRED: { description: 'Enrollment is required now.' },
    GRACE_PERIOD: { description: 'Enrollment is required, and not due yet.' },
    EXEMPT: { description: 'An exemption excuses the user from enrolling.' },
    ENROLLED: { description: 'The user has enrolled, and is challenged.' },
  },
});
registerEnumType(IdentityProvider, {
  name: 'IdentityProvider',
  description: 'Where the first factor was checked.',
  valuesConfig: {
    LOCAL: { description: 'By the application itself.' },
    EXTERNAL: { description: 'By an external identity provider, which enforces its own MFA.' },
  },
});

@ObjectType({ simpleResolvers: true, description: 'Where the sign-in stands that asked for the MFA step.' })
export class MfaDecision {
  @Field(() => MfaStatus, { description: 'Whether the user may be let in.' })
  status: MfaStatus;

  @Field(() => MfaReason, { description: 'The rule that decided.' })
  reason: MfaReason;

  @Field(() => String, {
    nullable: true,
    description:
      'Opaque, single-purpose, short-lived. Null when status is AUTHENTICATED, except within the grace period, where it allows enrolling early.',
  })
  mfaToken: string | null;

  @Field(() => DateTime, { nullable: true, description: 'When mfaToken expires.' })
  expiresAt: Date | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'When enrollment becomes due; only within the grace period.',
  })
  enrollmentDueAt: Date | null;

  @Field(() => String, {
    nullable: true,
    description:
      'The hosted page that carries the user through the step, the token in its fragment; null when mfaToken is.',
  })
  pageUrl: string | null;

  constructor(decision: MfaDecision) {
    this.status = decision.status;
    this.reason = decision.reason;
    this.mfaToken = decision.mfaToken;
    this.expiresAt = decision.expiresAt;
    this.enrollmentDueAt = decision.enrollmentDueAt;
    this.pageUrl = decision.pageUrl;
  }
}

@ObjectType({ simpleResolvers: true, description: 'A TOTP factor that was begun; confirm it with a code.' })
export class TotpEnrollment {
  @Field(() => AuthFactor, { description: 'The pending factor.' })
  factor: AuthFactor;

  @Field(() => String, {
    description: 'Base32, shown once per pending enrollment and never again once active.',
  })
  secret: string;

  @Field(() => String, { description: 'What authenticator apps scan.' })
  otpauthUri: string;

  @Field(() => String, { description: 'otpauthUri as a QR code: SVG as a data: URI.' })
  qrCode: string;

  @Field(() => DateTime, { description: 'When the pending factor is gone.' })
  expiresAt: Date;

  constructor(enrollment: TotpEnrollment) {
    this.factor = enrollment.factor;
    this.secret = enrollment.secret;
    this.otpauthUri = enrollment.otpauthUri;
    this.qrCode = enrollment.qrCode;
    this.expiresAt = enrollment.expiresAt;
  }
}

@ObjectType({
  simpleResolvers: true,
  description:
    'A right code. `recoveryCode` is set when this activated a new TOTP factor and recovery codes are enabled; it is shown this once.',
})
export class FactorVerified {
  @Field(() => AuthFactor, { description: 'The factor whose code it was.' })
  factor: AuthFactor;

  @Field(() => String, { nullable: true, description: 'The new recovery code. It is never shown again.' })
  recoveryCode: string | null;

  constructor(factor: AuthFactor, recoveryCode: string | null = null) {
    this.factor = factor;
    this.recoveryCode = recoveryCode;
  }
}

@ObjectType({ simpleResolvers: true, description: 'A new recovery code; the old one is dead.' })
export class RecoveryCodeEnrollment {
  @Field(() => AuthFactor, { description: 'The new factor.' })
  factor: AuthFactor;

  @Field(() => String, { description: 'The new recovery code. It is never shown again.' })
  recoveryCode: string;

  constructor(factor: AuthFactor, recoveryCode: string) {
    this.factor = factor;
    this.recoveryCode = recoveryCode;
  }
}

@ObjectType({
  simpleResolvers: true,
  description:
    'The MFA step is done: a signed JWT (see /.well-known/jwks.json) that the sign-in service can check and keep.',
})
export class MfaCompleted {
  @Field(() => String, { description: 'The signed assertion, valid for two minutes.' })
  assertion: string;

  @Field(() => ID, { description: 'Who completed the step.' })
  userId: string;

  @Field(() => ID, { description: 'The tenant of the user.' })
  tenantId: string;

  @Field(() => [String], { description: 'How: ["otp"] or ["recovery"].' })
  amr: string[];

  @Field(() => RecoveryCodeState, { description: 'Whether the user has a recovery code left.' })
  recoveryCodeState: RecoveryCodeState;

  @Field(() => String, { nullable: true, description: 'As given to startMfa.' })
  redirectUrl: string | null;

  constructor(completed: MfaCompleted) {
    this.assertion = completed.assertion;
    this.userId = completed.userId;
    this.tenantId = completed.tenantId;
    this.amr = completed.amr;
    this.recoveryCodeState = completed.recoveryCodeState;
    this.redirectUrl = completed.redirectUrl;
  }
}

export const StartMfaResult = createUnionType({
  name: 'StartMfaResult',
  description: 'What startMfa answers.',
  types: () => [MfaDecision, InvalidInput, NotFound] as const,
});
export const EnrollTotpAuthFactorResult = createUnionType({
  name: 'EnrollTotpAuthFactorResult',
  description: 'What enrollTotpAuthFactor answers.',
  types: () =>
    [
      TotpEnrollment,
      InvalidMfaToken,
      FactorNotAllowed,
      StepUpRequired,
      InvalidCode,
      TooManyAttempts,
    ] as const,
});
export const VerifyTotpAuthFactorChallengeResult = createUnionType({
  name: 'VerifyTotpAuthFactorChallengeResult',
  description: 'What verifyTotpAuthFactorChallenge answers.',
  types: () => [FactorVerified, InvalidCode, TooManyAttempts, InvalidMfaToken, FactorNotAllowed] as const,
});
export const EnrollRecoveryCodeAuthFactorResult = createUnionType({
  name: 'EnrollRecoveryCodeAuthFactorResult',
  description: 'What enrollRecoveryCodeAuthFactor answers.',
  types: () =>
    [
      RecoveryCodeEnrollment,
      InvalidMfaToken,
      FactorNotAllowed,
      StepUpRequired,
      InvalidCode,
      TooManyAttempts,
    ] as const,
});
export const VerifyRecoveryCodeAuthFactorChallengeResult = createUnionType({
  name: 'VerifyRecoveryCodeAuthFactorChallengeResult',
  description: 'What verifyRecoveryCodeAuthFactorChallenge answers.',
  types: () => [FactorVerified, InvalidCode, TooManyAttempts, InvalidMfaToken, FactorNotAllowed] as const,
});
export const VerifyMfaResult = createUnionType({
  name: 'VerifyMfaResult',
  description: 'What verifyMfaEnrollment and verifyMfaChallenge answer.',
  types: () => [MfaCompleted, InvalidMfaToken, MfaNotSatisfied] as const,
});
