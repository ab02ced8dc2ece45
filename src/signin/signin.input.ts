import { Field, ID, InputType } from 'type-graphql';
import * as z from 'zod';
import { accountNameCharsMax, redirectUrlCharsMax } from '../shared/limits.ts';
import { idempotencyKey, printableText, userId } from '../shared/text.ts';
import { InvalidInput, parseInput } from '../shared/user-error.type.ts';
import { IdentityProvider } from './decision.ts';
import { MfaTrigger } from './signin.type.ts';

const tokenDescription = 'The token of the step. Left out by a signed-in user with a bearer token.';
const currentCodeDescription =
  'A current code of the active authenticator; needed when there is one, unless this step was satisfied by a recovery code.';

@InputType({ description: 'A sign-in whose first factor was right.' })
export class StartMfaInput {
  @Field(() => ID, { description: 'The tenant the user signs in to.' })
  tenantId!: string;

  @Field(() => ID, { description: 'The user, 1 to 255 characters, unique within the tenant.' })
  userId!: string;

  @Field(() => String, {
    description:
      'Shown in the authenticator app beside the issuer, e.g. an email address. 1 to 200 characters.',
  })
  accountName!: string;

  @Field(() => MfaTrigger, { description: 'The flow that leads to the sign-in.' })
  trigger!: MfaTrigger;

  @Field(() => IdentityProvider, {
    defaultValue: 'LOCAL',
    description: 'Where the first factor was checked.',
  })
  identityProvider!: IdentityProvider;

  @Field(() => String, {
    nullable: true,
    description: 'Where the hosted page sends the browser afterwards; must match an allowed origin.',
  })
  redirectUrl?: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      '1 to 255 characters. The same key within 24 h acts once: the same decision with a new token, and the first token dies.',
  })
  idempotencyKey?: string | null;
}

@InputType({
  description:
    "Either mfaToken, or a signed-in user's bearer token. A user who already has an active TOTP factor must also give currentCode, unless this step was satisfied by a recovery code.",
})
export class EnrollTotpAuthFactorInput {
  @Field(() => String, { nullable: true, description: tokenDescription })
  mfaToken?: string | null;

  @Field(() => String, { nullable: true, description: currentCodeDescription })
  currentCode?: string | null;
}

@InputType({ description: 'A code of an authenticator app.' })
export class VerifyTotpAuthFactorChallengeInput {
  @Field(() => String, { nullable: true, description: tokenDescription })
  mfaToken?: string | null;

  @Field(() => String, { description: 'Exactly six digits.' })
  code!: string;
}

@InputType({ description: 'A request for a new recovery code.' })
export class EnrollRecoveryCodeAuthFactorInput {
  @Field(() => String, { nullable: true, description: tokenDescription })
  mfaToken?: string | null;

  @Field(() => String, { nullable: true, description: currentCodeDescription })
  currentCode?: string | null;
}

@InputType({ description: 'A recovery code, in place of a code of the authenticator app.' })
export class VerifyRecoveryCodeAuthFactorChallengeInput {
  @Field(() => String, { description: 'The token of a challenge.' })
  mfaToken!: string;

  @Field(() => String, { description: 'As it was shown; case, hyphens and spaces do not matter.' })
  recoveryCode!: string;
}

@InputType({ description: 'Which step to finish.' })
export class VerifyMfaInput {
  @Field(() => String, { description: 'The token that startMfa answered.' })
  mfaToken!: string;
}

/**
 * Whether a text is a URL of an origin, for every reader alike. A browser takes backslashes for slashes
 * and drops spaces, other readers do not [WHATWG URL, RFC 3986]; so the origin must stand there letter
 * by letter, and end where it ends for all of them.
 */
const isUrlOf = (origin: string, text: string): boolean =>
  text.startsWith(origin) &&
  /^(?:[/?#]|$)/.test(text.slice(origin.length)) &&
  URL.parse(text)?.origin === origin;

/** Whether a browser may be sent to a URL. */
export const isAllowedRedirect = (redirectOrigins: readonly string[], url: string | null): boolean =>
  url !== null && redirectOrigins.some((origin) => isUrlOf(origin, url));

const start = z.object({
  userId,
  accountName: printableText(1, accountNameCharsMax),
  redirectUrl: printableText(1, redirectUrlCharsMax).nullish(),
  idempotencyKey: idempotencyKey.nullish(),
});

/** @param redirectOrigins origins that redirectUrl may have */
export function parseStart(
  input: StartMfaInput,
  redirectOrigins: readonly string[],
): z.infer<typeof start> | InvalidInput {
  const valid = parseInput(start, input);
  if (valid instanceof InvalidInput) return valid;
  const { redirectUrl } = valid;
  if (redirectUrl == null || isAllowedRedirect(redirectOrigins, redirectUrl)) return valid;
  return new InvalidInput(
    'redirectUrl',
    'redirectUrl must be a URL that begins with an origin that REDIRECT_ORIGINS allows, as it is written there.',
  );
}
