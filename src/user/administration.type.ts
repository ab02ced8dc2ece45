import { createUnionType, Field, ID, InputType } from 'type-graphql';
import * as z from 'zod';
import { secondsAfter } from '../shared/clock.ts';
import { DateTime } from '../shared/date-time.ts';
import { exemptionDaysMax } from '../shared/limits.ts';
import { reason, userId } from '../shared/text.ts';
import { InvalidInput, NotFound } from '../shared/user-error.type.ts';
import { UserPayload } from './user.type.ts';

/* What administrators do to a user's MFA. */

const tenantDescription = 'The tenant of the user.';
const reasonDescription =
  'Why, for whoever looks at the record: 1 to 500 characters after trimming, no control characters.';

@InputType({ description: 'Whose MFA to reset, and why.' })
export class ResetUserMfaInput {
  @Field(() => ID, { description: tenantDescription })
  tenantId!: string;

  @Field(() => ID, { description: 'The user.' })
  userId!: string;

  @Field(() => String, { description: reasonDescription })
  reason!: string;
}

@InputType({ description: 'Whom to excuse from required enrollment, until when, and why.' })
export class ExemptUserFromMfaInput {
  @Field(() => ID, { description: tenantDescription })
  tenantId!: string;

  @Field(() => ID, { description: 'The user, who need not have signed in before: 1 to 255 characters.' })
  userId!: string;

  @Field(() => DateTime, {
    description: 'When the exemption ends by itself: in the future, at most 365 days.',
  })
  until!: Date;

  @Field(() => String, { description: reasonDescription })
  reason!: string;
}

@InputType({ description: 'Whose exemption to end now.' })
export class RevokeMfaExemptionInput {
  @Field(() => ID, { description: tenantDescription })
  tenantId!: string;

  @Field(() => ID, { description: 'The user.' })
  userId!: string;
}

export const resetWrite = z.object({ reason });

export const exemptionWrite = (now: Date) =>
  z.object({
    userId,
    until: z
      .date()
      .refine((until) => until > now && until <= secondsAfter(now, exemptionDaysMax * 24 * 3600), {
        error: `must be in the future, and at most ${exemptionDaysMax} days ahead`,
      }),
    reason,
  });

export const ResetUserMfaResult = createUnionType({
  name: 'ResetUserMfaResult',
  description: 'What resetUserMfa answers.',
  types: () => [UserPayload, NotFound, InvalidInput] as const,
});
export const ExemptUserFromMfaResult = createUnionType({
  name: 'ExemptUserFromMfaResult',
  description: 'What exemptUserFromMfa answers.',
  types: () => [UserPayload, NotFound, InvalidInput] as const,
});
export const RevokeMfaExemptionResult = createUnionType({
  name: 'RevokeMfaExemptionResult',
  description: 'What revokeMfaExemption answers.',
  types: () => [UserPayload, NotFound] as const,
});
