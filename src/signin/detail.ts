import { attemptsMax } from '../shared/limits.ts';
import { dueAt, isExempt } from '../user/mfa-state.ts';
import type { DecisionInputs, MfaReason } from './decision.ts';

/** One sentence for an administrator: what a rule looked at, and what it saw. */
export type Detail = (inputs: DecisionInputs, now: Date) => string;

/** What each rule of the decision saw, whether it matched or not. Pure; of one moment. */
export const details: Record<MfaReason, Detail> = {
  EXTERNAL_IDENTITY_PROVIDER: ({ identityProvider }) =>
    identityProvider === 'EXTERNAL'
      ? 'The sign-in came through an external identity provider, which enforces its own MFA.'
      : 'The sign-in came through no external identity provider.',

  MFA_NOT_ENABLED: (inputs) => `TOTP is ${inputs.policy.mfaEnabled ? 'on' : 'off'} in ${policyOf(inputs)}.`,

  ENROLLED({ totp, user }) {
    if (totp === null) {
      return user.firstEnrolledAt === null
        ? 'The user has never enrolled an authenticator.'
        : `The user has no authenticator any more; the first was enrolled on ${told(user.firstEnrolledAt)}.`;
    }
    const since = `The user has been enrolled since ${told(totp.activatedAt)}`;
    return totp.isDisabled
      ? `${since}; the authenticator is disabled after ${attemptsMax} wrong codes in a row, and counts all the same.`
      : `${since}.`;
  },

  EXEMPT({ user }, now) {
    const { exemption } = user;
    if (exemption === null) return 'The user has no exemption.';
    const by = `granted by ${exemption.grantedBy} (reason: ${exemption.reason})`;
    return isExempt(user, now)
      ? `The user is exempt until ${told(exemption.until)}, ${by}.`
      : `The exemption of the user, ${by}, ended on ${told(exemption.until)}.`;
  },

  ENROLLMENT_OPTIONAL: (inputs) => `Enrollment is ${inputs.policy.enrollment} in ${policyOf(inputs)}.`,

  GRACE_PERIOD(inputs, now) {
    const { gracePeriodDays } = inputs.policy;
    const { firstEnrolledAt, enrollmentRequiredAt } = inputs.user;
    if (firstEnrolledAt !== null) {
      return `The user has no grace period: who was ever enrolled has none, and this user first was on ${told(firstEnrolledAt)}.`;
    }
    const allowed = `${policyOf(inputs)} allows ${gracePeriodDays} ${gracePeriodDays === 1 ? 'day' : 'days'} of grace`;
    if (enrollmentRequiredAt === null) {
      return `Enrollment has never been required of the user at a sign-in; ${allowed} from the first time on.`;
    }
    const due = dueAt(inputs.policy, enrollmentRequiredAt);
    return `Enrollment was first required of the user on ${told(enrollmentRequiredAt)}; ${allowed}, so it ${due > now ? 'is' : 'was'} due on ${told(due)}.`;
  },

  ENROLLMENT_REQUIRED: () =>
    'This rule comes last and always matches: who gets here must enroll before being let in.',
};

/** Which policy applies, since when, and why it is not the tenant's override as it was written. */
function policyOf({
  policy: { source, version },
  policySince,
  isRaised,
  ignoresOverride,
}: DecisionInputs): string {
  const stands = `version ${version}, since ${told(policySince)}`;
  if (source === 'TENANT') {
    const raised = ", raised to the application's policy, because the application's rule is STRICTER_ONLY";
    return `the tenant's override (${stands}${isRaised ? raised : ''})`;
  }
  const ignored =
    "; the tenant's override is switched on and ignored, because the application's rule is NONE";
  return `the application's policy (${stands}${ignoresOverride ? ignored : ''})`;
}

/** Down to the second, as people read it. */
const told = (moment: Date): string =>
  moment
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
