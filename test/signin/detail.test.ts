import { describe, expect, test } from '@jest/globals';
import { type DecisionInputs, decide, type MfaReason } from '../../src/signin/decision.ts';

/*
 * What explainMfa says of each rule, word for word. An administrator reads these sentences; whoever
 * changes one reads it here.
 */

const now = new Date('2026-03-01T12:00:00Z');
const since = new Date('2026-02-03T09:15:00.500Z');

type Given = Partial<Omit<DecisionInputs, 'policy' | 'user'>> & {
  policy?: Partial<DecisionInputs['policy']>;
  user?: Partial<DecisionInputs['user']>;
};

/** A user never seen, of whom the application requires enrollment within a week, unless told otherwise. */
const inputsOf = ({ policy, user, ...given }: Given): DecisionInputs => ({
  identityProvider: 'LOCAL',
  isEnrolled: given.totp != null,
  totp: null,
  policySince: since,
  isRaised: false,
  ignoresOverride: false,
  policy: {
    mfaEnabled: true,
    enrollment: 'REQUIRED',
    gracePeriodDays: 7,
    source: 'APPLICATION',
    version: 3,
    ...policy,
  },
  user: { enrollmentRequiredAt: null, firstEnrolledAt: null, exemption: null, ...user },
  ...given,
});

const override = { source: 'TENANT', version: 2 } as const;
const exemptUntil = (moment: string) => ({
  exemption: { until: new Date(moment), reason: 'phone in repair', grantedBy: 'alice' },
});
const activatedAt = new Date('2026-01-15T08:30:59.999Z');

const sentences: [MfaReason, string, Given, boolean, string][] = [
  [
    'EXTERNAL_IDENTITY_PROVIDER',
    'an external sign-in',
    { identityProvider: 'EXTERNAL' },
    true,
    'The sign-in came through an external identity provider, which enforces its own MFA.',
  ],
  [
    'EXTERNAL_IDENTITY_PROVIDER',
    'a local sign-in',
    {},
    false,
    'The sign-in came through no external identity provider.',
  ],
  [
    'MFA_NOT_ENABLED',
    'TOTP off',
    { policy: { mfaEnabled: false } },
    true,
    "TOTP is off in the application's policy (version 3, since 2026-02-03 09:15:00 UTC).",
  ],
  [
    'MFA_NOT_ENABLED',
    'TOTP on by an override',
    { policy: override },
    false,
    "TOTP is on in the tenant's override (version 2, since 2026-02-03 09:15:00 UTC).",
  ],
  [
    'MFA_NOT_ENABLED',
    'TOTP on by an override that was raised',
    { policy: override, isRaised: true },
    false,
    "TOTP is on in the tenant's override (version 2, since 2026-02-03 09:15:00 UTC, raised to the application's policy, because the application's rule is STRICTER_ONLY).",
  ],
  [
    'MFA_NOT_ENABLED',
    'TOTP off in spite of an override',
    {
      policy: { mfaEnabled: false },
      ignoresOverride: true,
    },
    true,
    "TOTP is off in the application's policy (version 3, since 2026-02-03 09:15:00 UTC; the tenant's override is switched on and ignored, because the application's rule is NONE).",
  ],
  [
    'ENROLLED',
    'an active authenticator',
    { totp: { activatedAt, isDisabled: false } },
    true,
    'The user has been enrolled since 2026-01-15 08:30:59 UTC.',
  ],
  [
    'ENROLLED',
    'a disabled authenticator',
    { totp: { activatedAt, isDisabled: true } },
    true,
    'The user has been enrolled since 2026-01-15 08:30:59 UTC; the authenticator is disabled after 50 wrong codes in a row, and counts all the same.',
  ],
  ['ENROLLED', 'no authenticator ever', {}, false, 'The user has never enrolled an authenticator.'],
  [
    'ENROLLED',
    'an authenticator that is gone',
    { user: { firstEnrolledAt: activatedAt } },
    false,
    'The user has no authenticator any more; the first was enrolled on 2026-01-15 08:30:59 UTC.',
  ],
  [
    'EXEMPT',
    'a running exemption',
    { user: exemptUntil('2026-03-08T12:00:00Z') },
    true,
    'The user is exempt until 2026-03-08 12:00:00 UTC, granted by alice (reason: phone in repair).',
  ],
  [
    'EXEMPT',
    'an exemption that ends this moment',
    { user: exemptUntil('2026-03-01T12:00:00Z') },
    false,
    'The exemption of the user, granted by alice (reason: phone in repair), ended on 2026-03-01 12:00:00 UTC.',
  ],
  ['EXEMPT', 'no exemption', {}, false, 'The user has no exemption.'],
  [
    'ENROLLMENT_OPTIONAL',
    'an optional enrollment',
    { policy: { enrollment: 'OPTIONAL' } },
    true,
    "Enrollment is OPTIONAL in the application's policy (version 3, since 2026-02-03 09:15:00 UTC).",
  ],
  [
    'ENROLLMENT_OPTIONAL',
    'a required enrollment',
    { policy: override },
    false,
    "Enrollment is REQUIRED in the tenant's override (version 2, since 2026-02-03 09:15:00 UTC).",
  ],
  [
    'GRACE_PERIOD',
    'a user never asked',
    {},
    true,
    "Enrollment has never been required of the user at a sign-in; the application's policy (version 3, since 2026-02-03 09:15:00 UTC) allows 7 days of grace from the first time on.",
  ],
  [
    'GRACE_PERIOD',
    'no grace at all',
    { policy: { gracePeriodDays: 0 } },
    false,
    "Enrollment has never been required of the user at a sign-in; the application's policy (version 3, since 2026-02-03 09:15:00 UTC) allows 0 days of grace from the first time on.",
  ],
  [
    'GRACE_PERIOD',
    'a grace that runs',
    {
      policy: { ...override, gracePeriodDays: 1 },
      user: { enrollmentRequiredAt: new Date('2026-02-28T12:00:01Z') },
    },
    true,
    "Enrollment was first required of the user on 2026-02-28 12:00:01 UTC; the tenant's override (version 2, since 2026-02-03 09:15:00 UTC) allows 1 day of grace, so it is due on 2026-03-01 12:00:01 UTC.",
  ],
  [
    'GRACE_PERIOD',
    'a grace that ends this moment',
    { user: { enrollmentRequiredAt: new Date('2026-02-22T12:00:00Z') } },
    false,
    "Enrollment was first required of the user on 2026-02-22 12:00:00 UTC; the application's policy (version 3, since 2026-02-03 09:15:00 UTC) allows 7 days of grace, so it was due on 2026-03-01 12:00:00 UTC.",
  ],
  [
    'GRACE_PERIOD',
    'a user who was enrolled before',
    { user: { firstEnrolledAt: activatedAt, enrollmentRequiredAt: now } },
    false,
    'The user has no grace period: who was ever enrolled has none, and this user first was on 2026-01-15 08:30:59 UTC.',
  ],
  [
    'ENROLLMENT_REQUIRED',
    'whatever there is',
    {},
    true,
    'This rule comes last and always matches: who gets here must enroll before being let in.',
  ],
];

describe('what a rule says', () => {
  test.each(sentences)('%s, of %s', (reason, _name, given, matched, sentence) => {
    const rule = decide(inputsOf(given), now).rules.find((asked) => asked.reason === reason);
    expect([rule?.matched, rule?.detail()]).toEqual([matched, sentence]);
  });
});
