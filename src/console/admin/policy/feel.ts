import type { ConsoleEffectivePolicyFragment } from '../../generated/documents.ts';

type Applies = Pick<
  ConsoleEffectivePolicyFragment,
  'mfaEnabled' | 'recoveryCodesEnabled' | 'enrollment' | 'gracePeriodDays' | 'issuer'
>;

/** One moment of a user's day, and what the policy makes of it. */
export interface Felt {
  moment: string;
  what: string;
}

/** What a policy means to those who sign in under it, in the order in which they meet it. */
export function felt(policy: Applies): Felt[] {
  if (!policy.mfaEnabled) {
    return [
      { moment: 'Signing in', what: 'Nobody is asked for a code, also not those who enrolled before.' },
      { moment: 'Enrolling', what: 'Not possible while TOTP MFA is off. What was enrolled is kept.' },
    ];
  }
  return [
    { moment: 'Signing in, enrolled', what: 'Asked for a six-digit code of their authenticator app.' },
    { moment: 'Signing in, not enrolled', what: unenrolled(policy) },
    {
      moment: 'Authenticator lost',
      what: policy.recoveryCodesEnabled
        ? 'Their recovery code lets them in, once. Then they set up a new authenticator.'
        : 'They need an administrator to reset their MFA.',
    },
    { moment: 'In the app', what: `The account is listed under “${policy.issuer}”.` },
  ];
}

function unenrolled({ enrollment, gracePeriodDays }: Applies): string {
  if (enrollment === 'OPTIONAL') return 'Let in. They may enroll by themselves.';
  if (gracePeriodDays === 0) return 'Must set up an authenticator app before they get in.';
  return `Let in for ${gracePeriodDays === 1 ? '1 day' : `${gracePeriodDays} days`} after they were first asked, then they must enroll.`;
}
