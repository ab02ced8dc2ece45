import { Arg, Ctx, Mutation, Resolver } from 'type-graphql';
import type { RequestContext } from '../caller/context.ts';
import * as administration from './administration.service.ts';
import {
  ExemptUserFromMfaInput,
  ExemptUserFromMfaResult,
  ResetUserMfaInput,
  ResetUserMfaResult,
  RevokeMfaExemptionInput,
  RevokeMfaExemptionResult,
} from './administration.type.ts';

@Resolver()
export class AdministrationResolver {
  @Mutation(() => ResetUserMfaResult, {
    description:
      'Takes all that a user has of MFA: factors, what was begun, open steps, counters. The user enrolls anew, without a new grace period; an exemption stays.',
  })
  resetUserMfa(
    @Ctx() context: RequestContext,
    @Arg('input', () => ResetUserMfaInput, { description: 'Whose MFA, and why.' }) input: ResetUserMfaInput,
  ) {
    return administration.resetUserMfa(context, input);
  }

  @Mutation(() => ExemptUserFromMfaResult, {
    description:
      'Excuses a user from required enrollment for a time. An enrolled user is challenged all the same. A running exemption is replaced.',
  })
  exemptUserFromMfa(
    @Ctx() context: RequestContext,
    @Arg('input', () => ExemptUserFromMfaInput, { description: 'Whom, until when, and why.' })
    input: ExemptUserFromMfaInput,
  ) {
    return administration.exemptUserFromMfa(context, input);
  }

  @Mutation(() => RevokeMfaExemptionResult, {
    description: "Ends a user's exemption now. Where none is running, nothing changes.",
  })
  revokeMfaExemption(
    @Ctx() context: RequestContext,
    @Arg('input', () => RevokeMfaExemptionInput, { description: 'Whose.' }) input: RevokeMfaExemptionInput,
  ) {
    return administration.revokeMfaExemption(context, input);
  }
}
