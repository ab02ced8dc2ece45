import { Field, Int, ObjectType } from 'type-graphql';
import { DateTime } from '../shared/date-time.ts';
import { UserError } from '../shared/user-error.type.ts';

@ObjectType({
  simpleResolvers: true,
  implements: UserError,
  description:
    'INVALID_CODE: wrong, expired or already used; the answer does not say which, nor whether the factor exists.',
})
export class InvalidCode extends UserError {
  @Field(() => Int, { description: 'Wrong codes that are still free of waiting.' })
  readonly attemptsRemaining: number;

  constructor(attemptsRemaining: number) {
    super('INVALID_CODE', 'This code is not right. Enter the newest code; each works once.');
    this.attemptsRemaining = attemptsRemaining;
  }
}

@ObjectType({
  simpleResolvers: true,
  implements: UserError,
  description: 'TOO_MANY_ATTEMPTS: the code was not looked at, and not spent.',
})
export class TooManyAttempts extends UserError {
  @Field(() => DateTime, { description: 'From when on a code is looked at again.' })
  readonly retryAt: Date;

  constructor(retryAt: Date) {
    super('TOO_MANY_ATTEMPTS', `Too many wrong codes in a row. Try again at ${retryAt.toISOString()}.`);
    this.retryAt = retryAt;
  }
}

@ObjectType({
  simpleResolvers: true,
  implements: UserError,
  description: 'INVALID_MFA_TOKEN: unknown, expired, finished, or made for another step.',
})
export class InvalidMfaToken extends UserError {
  constructor() {
    super('INVALID_MFA_TOKEN', 'This MFA step is over or was never begun. Start again from the sign-in.');
  }
}

@ObjectType({
  simpleResolvers: true,
  implements: UserError,
  description:
    "MFA_NOT_SATISFIED: the step's enrollment or challenge has not been done yet, or the policy asks for more by now.",
})
export class MfaNotSatisfied extends UserError {
  constructor() {
    super(
      'MFA_NOT_SATISFIED',
      'The step is not done, or what applies has changed since. Let the user go on, or call startMfa again.',
    );
  }
}

@ObjectType({
  simpleResolvers: true,
  implements: UserError,
  description: 'FACTOR_NOT_ALLOWED: the effective policy does not allow this factor.',
})
export class FactorNotAllowed extends UserError {
  constructor() {
    super('FACTOR_NOT_ALLOWED', 'This kind of factor is switched off by the policy that applies.');
  }
}

@ObjectType({
  simpleResolvers: true,
  implements: UserError,
  description: 'STEP_UP_REQUIRED: a current code of the active factor is needed.',
})
export class StepUpRequired extends UserError {
  constructor() {
    super('STEP_UP_REQUIRED', 'Give a current code of the active authenticator as currentCode.');
  }
}
