import { Arg, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import type { RequestContext } from '../caller/context.ts';
import { IdentityProvider } from './decision.ts';
import { enrollRecoveryCode, enrollTotp } from './enroll.service.ts';
import { explainMfa } from './explain.service.ts';
import { MfaExplanation } from './explanation.type.ts';
import { finishStep, introspect } from './finish.service.ts';
import {
  EnrollRecoveryCodeAuthFactorInput,
  EnrollTotpAuthFactorInput,
  StartMfaInput,
  VerifyMfaInput,
  VerifyRecoveryCodeAuthFactorChallengeInput,
  VerifyTotpAuthFactorChallengeInput,
} from './signin.input.ts';
import {
  EnrollRecoveryCodeAuthFactorResult,
  EnrollTotpAuthFactorResult,
  StartMfaResult,
  VerifyMfaResult,
  VerifyRecoveryCodeAuthFactorChallengeResult,
  VerifyTotpAuthFactorChallengeResult,
} from './signin.type.ts';
import { startMfa } from './start.service.ts';
import { MfaTokenInfo } from './token-info.type.ts';
import { verifyRecoveryCode, verifyTotp } from './verify.service.ts';

@Resolver()
export class SignInResolver {
  @Query(() => MfaTokenInfo, {
    nullable: true,
    description:
      'What a token stands for; null for one that is unknown, expired or finished. Needs only the token itself. Without a bearer token, of the tenant only id and displayName answer, and the effective policy; all else is UNAUTHENTICATED.',
  })
  introspectMfaToken(
    @Ctx() context: RequestContext,
    @Arg('mfaToken', () => String, { description: 'The token of the step.' }) mfaToken: string,
  ) {
    return introspect(context, mfaToken);
  }

  @Query(() => MfaExplanation, {
    nullable: true,
    description:
      'What startMfa would decide for a user now, and what each rule saw; null when the caller sees no such tenant. A user never seen is answered from the policy. Nothing is written.',
  })
  explainMfa(
    @Ctx() context: RequestContext,
    @Arg('tenantId', () => ID, { description: 'The tenant of the user.' }) tenantId: string,
    @Arg('userId', () => ID, { description: 'The user.' }) userId: string,
    @Arg('identityProvider', () => IdentityProvider, {
      defaultValue: 'LOCAL',
      description: 'Where the first factor of the sign-in would be checked.',
    })
    identityProvider: IdentityProvider,
  ): Promise<MfaExplanation | null> {
    return explainMfa(context, tenantId, userId, identityProvider);
  }

  @Mutation(() => StartMfaResult, {
    description:
      'Decides the MFA step of a sign-in, after the first factor, and opens it where something is to be done.',
  })
  startMfa(
    @Ctx() context: RequestContext,
    @Arg('input', () => StartMfaInput, { description: 'Who signs in, and how.' }) input: StartMfaInput,
  ) {
    return startMfa(context, input);
  }

  @Mutation(() => EnrollTotpAuthFactorResult, {
    description: 'Begins an authenticator app. Called again in the same step, it answers the same secret.',
  })
  enrollTotpAuthFactor(
    @Ctx() context: RequestContext,
    @Arg('input', () => EnrollTotpAuthFactorInput, { description: 'On whose behalf.' })
    input: EnrollTotpAuthFactorInput,
  ) {
    return enrollTotp(context, input);
  }

  @Mutation(() => VerifyTotpAuthFactorChallengeResult, {
    description: 'A code of an authenticator app: confirms the one that was begun, or answers the challenge.',
  })
  verifyTotpAuthFactorChallenge(
    @Ctx() context: RequestContext,
    @Arg('input', () => VerifyTotpAuthFactorChallengeInput, { description: 'The code.' })
    input: VerifyTotpAuthFactorChallengeInput,
  ) {
    return verifyTotp(context, input);
  }

  @Mutation(() => EnrollRecoveryCodeAuthFactorResult, {
    description: 'Issues a new recovery code; the old one dies.',
  })
  enrollRecoveryCodeAuthFactor(
    @Ctx() context: RequestContext,
    @Arg('input', () => EnrollRecoveryCodeAuthFactorInput, { description: 'On whose behalf.' })
    input: EnrollRecoveryCodeAuthFactorInput,
  ) {
    return enrollRecoveryCode(context, input);
  }

  @Mutation(() => VerifyRecoveryCodeAuthFactorChallengeResult, {
    description: 'A recovery code answers the challenge in place of a lost authenticator. It works once.',
  })
  verifyRecoveryCodeAuthFactorChallenge(
    @Ctx() context: RequestContext,
    @Arg('input', () => VerifyRecoveryCodeAuthFactorChallengeInput, { description: 'The code.' })
    input: VerifyRecoveryCodeAuthFactorChallengeInput,
  ) {
    return verifyRecoveryCode(context, input);
  }

  @Mutation(() => VerifyMfaResult, {
    description: 'Finishes an enrollment step, exactly once, with an assertion.',
  })
  verifyMfaEnrollment(
    @Ctx() context: RequestContext,
    @Arg('input', () => VerifyMfaInput, { description: 'Which step.' }) input: VerifyMfaInput,
  ) {
    return finishStep(context, 'ENROLLMENT', input.mfaToken);
  }

  @Mutation(() => VerifyMfaResult, {
    description: 'Finishes a challenge step, exactly once, with an assertion.',
  })
  verifyMfaChallenge(
    @Ctx() context: RequestContext,
    @Arg('input', () => VerifyMfaInput, { description: 'Which step.' }) input: VerifyMfaInput,
  ) {
    return finishStep(context, 'CHALLENGE', input.mfaToken);
  }
}
