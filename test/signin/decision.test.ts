import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type DecisionInputs,
  decide,
  type MfaReason,
  type MfaStatus,
  requiresEnrollment,
  type StepPurpose,
} from '../../src/signin/decision.ts';
import { enrollmentDueAt, type MfaState, mfaState } from '../../src/user/mfa-state.ts';

const now = new Date('2026-03-01T12:00:00Z');
const dayMs = 24 * 3600 * 1000;
const inDays = (days: number): Date => new Date(now.getTime() + days * dayMs);
const exemptUntil = (days: number) => ({ until: inDays(days), reason: 'lost phone', grantedBy: 'admin' });

type Case = Partial<DecisionInputs['policy'] & DecisionInputs['user']> &
  Partial<Pick<DecisionInputs, 'isEnrolled' | 'identityProvider'>>;

/** A user of whom enrollment is required at once, unless told otherwise. */
const inputsOf = ({ identityProvider = 'LOCAL', isEnrolled = false, ...given }: Case): DecisionInputs => ({
  identityProvider,
  isEnrolled,
  totp: isEnrolled ? { activatedAt: inDays(-1), isDisabled: false } : null,
  policySince: inDays(-1),
  isRaised: false,
  ignoresOverride: false,
  policy: {
    mfaEnabled: true,
    enrollment: 'REQUIRED',
    gracePeriodDays: 0,
    source: 'APPLICATION',
    version: 1,
    ...given,
  },
  user: { enrollmentRequiredAt: null, firstEnrolledAt: null, exemption: null, ...given },
});

/** rules.md section 2, the table, in its order. */
const order: [MfaReason, MfaStatus, StepPurpose | null][] = [
  ['EXTERNAL_IDENTITY_PROVIDER', 'AUTHENTICATED', null],
  ['MFA_NOT_ENABLED', 'AUTHENTICATED', null],
  ['ENROLLED', 'MFA_CHALLENGE_REQUIRED', 'CHALLENGE'],
  ['EXEMPT', 'AUTHENTICATED', null],
  ['ENROLLMENT_OPTIONAL', 'AUTHENTICATED', null],
  ['GRACE_PERIOD', 'AUTHENTICATED', 'ENROLLMENT'],
  ['ENROLLMENT_REQUIRED', 'MFA_ENROLLMENT_REQUIRED', 'ENROLLMENT'],
];
const reasons = order.map(([reason]) => reason);

/** What makes each rule match, by itself. */
const causes: Record<MfaReason, Case> = {
  EXTERNAL_IDENTITY_PROVIDER: { identityProvider: 'EXTERNAL' },
  MFA_NOT_ENABLED: { mfaEnabled: false },
  ENROLLED: { isEnrolled: true },
  EXEMPT: { exemption: exemptUntil(1) },
  ENROLLMENT_OPTIONAL: { enrollment: 'OPTIONAL' },
  GRACE_PERIOD: { gracePeriodDays: 7 },
  ENROLLMENT_REQUIRED: {},
};

describe('the decision', () => {
  test.each(order)('%s by itself answers %s', (reason, status, purpose) => {
    expect(decide(inputsOf(causes[reason]), now)).toMatchObject({ reason, status, purpose });
  });

  const pairs = reasons.flatMap((first, at) => reasons.slice(at + 1).map((second) => [first, second]));
  test.each(pairs as [MfaReason, MfaReason][])('%s comes before %s', (first, second) => {
    const both = inputsOf({ ...causes[first], ...causes[second] });
    const { reason, rules } = decide(both, now);
    expect(reason).toBe(first);
    expect(rules).toContainEqual(expect.objectContaining({ reason: second, matched: true }));
  });

  test.each<[string, Case, MfaReason]>([
    ['never asked, grace of a day', { gracePeriodDays: 1 }, 'GRACE_PERIOD'],
    ['never asked, no grace', { gracePeriodDays: 0 }, 'ENROLLMENT_REQUIRED'],
    ['asked, due in a moment', { gracePeriodDays: 1, enrollmentRequiredAt: inDays(-0.999) }, 'GRACE_PERIOD'],
    [
      'asked, due this moment',
      { gracePeriodDays: 1, enrollmentRequiredAt: inDays(-1) },
      'ENROLLMENT_REQUIRED',
    ],
    ['asked, overdue', { gracePeriodDays: 1, enrollmentRequiredAt: inDays(-2) }, 'ENROLLMENT_REQUIRED'],
    [
      'once enrolled, within grace',
      { gracePeriodDays: 9, firstEnrolledAt: inDays(-1) },
      'ENROLLMENT_REQUIRED',
    ],
    ['exemption ends this moment', { exemption: exemptUntil(0) }, 'ENROLLMENT_REQUIRED'],
    [
      'exemption over, enrollment optional',
      { exemption: exemptUntil(-1), enrollment: 'OPTIONAL' },
      'ENROLLMENT_OPTIONAL',
    ],
    [
      'enrolled before, factor deleted, optional',
      { firstEnrolledAt: inDays(-1), enrollment: 'OPTIONAL' },
      'ENROLLMENT_OPTIONAL',
    ],
  ])('%s', (_name, given, reason) => {
    expect(decide(inputsOf(given), now).reason).toBe(reason);
  });

  test.each<[string, object]>([
    ['an enrollment that is no value of ours', { enrollment: 'SOMETIMES' }],
    ['a grace that is no number', { gracePeriodDays: Number.NaN }],
    ['a first request at no moment', { gracePeriodDays: 9, enrollmentRequiredAt: new Date(Number.NaN) }],
    ['an exemption until no moment', { exemption: { ...exemptUntil(1), until: new Date(Number.NaN) } }],
    ['an identity provider that is no value of ours', { identityProvider: 'SOMEWHERE' }],
  ])('%s is refused, not let in', (_name, broken) => {
    expect(decide(inputsOf(broken as Case), now)).toMatchObject({ status: 'MFA_ENROLLMENT_REQUIRED' });
  });
});

const days = fc.integer({ min: -800, max: 800 }).map((n) => inDays(n / 2));
const anyFactor = fc.option(fc.record({ activatedAt: days, isDisabled: fc.boolean() }));
const anyInputs: fc.Arbitrary<DecisionInputs> = fc
  .record({
    identityProvider: fc.constantFrom('LOCAL', 'LOCAL', 'LOCAL', 'EXTERNAL'),
    totp: anyFactor,
    policySince: days,
    isRaised: fc.boolean(),
    ignoresOverride: fc.boolean(),
    policy: fc.record({
      mfaEnabled: fc.constantFrom(true, true, true, false),
      enrollment: fc.constantFrom('REQUIRED', 'REQUIRED', 'OPTIONAL'),
      gracePeriodDays: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 365 })),
      source: fc.constantFrom('TENANT', 'APPLICATION'),
      version: fc.integer({ min: 1, max: 9 }),
    }),
    user: fc.record({
      enrollmentRequiredAt: fc.option(days),
      firstEnrolledAt: fc.option(days),
      exemption: fc.option(days.map((until) => ({ until, reason: 'r', grantedBy: 'g' }))),
    }),
  })
  .map((inputs) => ({ ...inputs, isEnrolled: inputs.totp !== null }));
/** Enough to meet every rule in most combinations. */
const runs = { numRuns: 2_000 };

describe('whatever is known of a user', () => {
  test('every rule is asked, in the order of the table, and the first that matches decides', () => {
    fc.assert(
      fc.property(anyInputs, (inputs) => {
        const { rules, reason, status, purpose } = decide(inputs, now);
        expect(rules.map((rule) => rule.reason)).toEqual(reasons);
        expect(rules.find(({ matched }) => matched)?.reason).toBe(reason);
        expect([reason, status, purpose]).toEqual(order.find(([name]) => name === reason));
      }),
      runs,
    );
  });

  test('nobody is let in but for a reason that the table lists', () => {
    const letsIn = (inputs: DecisionInputs): boolean => {
      const { policy, user, isEnrolled } = inputs;
      if (inputs.identityProvider === 'EXTERNAL' || !policy.mfaEnabled) return true;
      if (isEnrolled) return false;
      if (user.exemption !== null && user.exemption.until.getTime() > now.getTime()) return true;
      if (policy.enrollment === 'OPTIONAL') return true;
      if (user.firstEnrolledAt !== null) return false;
      const askedAt = user.enrollmentRequiredAt ?? now;
      return askedAt.getTime() + policy.gracePeriodDays * dayMs > now.getTime();
    };
    fc.assert(
      fc.property(anyInputs, (inputs) => {
        expect(decide(inputs, now).status === 'AUTHENTICATED').toBe(letsIn(inputs));
      }),
      runs,
    );
  });

  test('state and decision agree', () => {
    const reasonOf: Record<MfaState, MfaReason> = {
      DISABLED: 'MFA_NOT_ENABLED',
      ENROLLED: 'ENROLLED',
      EXEMPT: 'EXEMPT',
      OPTIONAL: 'ENROLLMENT_OPTIONAL',
      PENDING: 'GRACE_PERIOD',
      OVERDUE: 'ENROLLMENT_REQUIRED',
    };
    fc.assert(
      fc.property(anyInputs, (inputs) => {
        const local = { ...inputs, identityProvider: 'LOCAL' as const };
        expect(decide(local, now).reason).toBe(reasonOf[mfaState(inputs, now)]);
      }),
      runs,
    );
  });

  test('who ever was enrolled has no grace', () => {
    fc.assert(
      fc.property(anyInputs, days, (inputs, firstEnrolledAt) => {
        const once = { ...inputs, user: { ...inputs.user, firstEnrolledAt } };
        expect(decide(once, now).reason).not.toBe('GRACE_PERIOD');
        expect(mfaState(once, now)).not.toBe('PENDING');
      }),
      runs,
    );
  });

  test('an exemption excuses from enrolling, and from nothing else', () => {
    const enrolling: MfaReason[] = ['ENROLLMENT_OPTIONAL', 'GRACE_PERIOD', 'ENROLLMENT_REQUIRED'];
    fc.assert(
      fc.property(anyInputs, (inputs) => {
        const without = decide({ ...inputs, user: { ...inputs.user, exemption: null } }, now).reason;
        const exempt = decide({ ...inputs, user: { ...inputs.user, exemption: exemptUntil(1) } }, now).reason;
        expect(exempt).toBe(enrolling.includes(without) ? 'EXEMPT' : without);
      }),
      runs,
    );
  });

  test('time alone ends grace and exemption, and renews neither', () => {
    fc.assert(
      fc.property(anyInputs, fc.integer({ min: 0, max: 800 }), (inputs, later) => {
        const asked = { ...inputs.user, enrollmentRequiredAt: inputs.user.enrollmentRequiredAt ?? now };
        const known = { ...inputs, user: asked };
        const [before, after] = [decide(known, now).reason, decide(known, inDays(later)).reason];
        const place = (reason: MfaReason) => reasons.indexOf(reason);
        expect(place(after)).toBeGreaterThanOrEqual(place(before));
      }),
      runs,
    );
  });

  test('a due date is told within a grace that has begun only, lies ahead, and is that of the state', () => {
    fc.assert(
      fc.property(anyInputs, (inputs) => {
        const decision = decide(inputs, now);
        const isAsked = inputs.user.enrollmentRequiredAt !== null;
        expect(decision.enrollmentDueAt !== null).toBe(decision.reason === 'GRACE_PERIOD' && isAsked);
        if (decision.enrollmentDueAt === null) return;
        expect(decision.enrollmentDueAt.getTime()).toBeGreaterThan(now.getTime());
        expect(enrollmentDueAt(inputs, now)).toEqual(decision.enrollmentDueAt);
      }),
      runs,
    );
  });

  test('every rule says what it saw, in one sentence', () => {
    fc.assert(
      fc.property(anyInputs, (inputs) => {
        for (const { detail } of decide(inputs, now).rules) {
          expect(detail()).toMatch(/^[A-Z][^\n]{20,400}\.$/);
          expect(detail()).not.toMatch(/undefined|null|NaN|\[object/);
        }
      }),
      runs,
    );
  });

  test('grace starts to run with the last two rules only', () => {
    fc.assert(
      fc.property(anyInputs, (inputs) => {
        const decision = decide(inputs, now);
        expect(requiresEnrollment(decision)).toBe(reasons.indexOf(decision.reason) >= 5);
      }),
      runs,
    );
  });
});
