import { isDisabled } from '../factor/attempts.ts';
import { type EffectivePolicyValues, isRaised } from '../policy/effective-policy.ts';
import { enrollmentDueAt, isExempt, isWithinGrace, type StateInputs } from '../user/mfa-state.ts';
import { enrolledFactor, type Subject } from '../user/subject.ts';
import { stateInputs } from '../user/user-view.ts';
import { details } from './detail.ts';

export const MfaReason = {
  EXTERNAL_IDENTITY_PROVIDER: 'EXTERNAL_IDENTITY_PROVIDER',
  MFA_NOT_ENABLED: 'MFA_NOT_ENABLED',
  ENROLLMENT_OPTIONAL: 'ENROLLMENT_OPTIONAL',
  ENROLLMENT_REQUIRED: 'ENROLLMENT_REQUIRED',
  GRACE_PERIOD: 'GRACE_PERIOD',
  EXEMPT: 'EXEMPT',
  ENROLLED: 'ENROLLED',
} as const;
export type MfaReason = keyof typeof MfaReason;

export const MfaStatus = {
  AUTHENTICATED: 'AUTHENTICATED',
  MFA_ENROLLMENT_REQUIRED: 'MFA_ENROLLMENT_REQUIRED',
  MFA_CHALLENGE_REQUIRED: 'MFA_CHALLENGE_REQUIRED',
} as const;
export type MfaStatus = keyof typeof MfaStatus;

export const IdentityProvider = { LOCAL: 'LOCAL', EXTERNAL: 'EXTERNAL' } as const;
export type IdentityProvider = keyof typeof IdentityProvider;

/** What a step is for; a token of one purpose is worth nothing for another. */
export type StepPurpose = 'ENROLLMENT' | 'CHALLENGE';

export interface DecisionInputs extends StateInputs {
  identityProvider: IdentityProvider;
  policy: StateInputs['policy'] & Pick<EffectivePolicyValues, 'source' | 'version'>;
  /** Since when that version of it has stood. */
  policySince: Date;
  /** Whether the tenant's override is stricter here than its stored values, by the application's rule. */
  isRaised: boolean;
  /** Whether the tenant's override is switched on and does not apply, by the application's rule. */
  ignoresOverride: boolean;
  /** The factor that `isEnrolled` speaks of. */
  totp: { activatedAt: Date; isDisabled: boolean } | null;
}

/** What the decision about a subject is made from. */
export function decisionInputs(subject: Subject, identityProvider: IdentityProvider): DecisionInputs {
  const { application, override } = subject.tenant;
  const inputs = stateInputs(subject);
  const isOfTenant = inputs.policy.source === 'TENANT';
  const factor = enrolledFactor(subject);
  return {
    ...inputs,
    identityProvider,
    policySince: ((isOfTenant && override.policy) || application.policy).updatedAt,
    isRaised: isRaised(inputs.policy, override),
    ignoresOverride: override.enabled && !isOfTenant,
    totp: factor
      ? { activatedAt: factor.activatedAt, isDisabled: isDisabled(subject.user.totpFailures) }
      : null,
  };
}

/** One rule, as it was asked. */
interface AskedRule {
  reason: MfaReason;
  matched: boolean;
  /** What the rule saw, for an administrator; put into words only when asked for. */
  detail(): string;
}

export interface Decision {
  status: MfaStatus;
  reason: MfaReason;
  /** The step that is opened; null when there is nothing to do. */
  purpose: StepPurpose | null;
  /** Only within the grace period; null where it has not begun, since the user was never asked. */
  enrollmentDueAt: Date | null;
  /** Every rule, in the order in which they are asked. The first that matched decided. */
  rules: AskedRule[];
}

interface Rule {
  reason: MfaReason;
  status: MfaStatus;
  purpose: StepPurpose | null;
  matches(inputs: DecisionInputs, now: Date): boolean;
}

/**
 * The decision of a sign-in's MFA step: the first rule that matches. `startMfa` acts on it,
 * `explainMfa` tells it.
 *
 * 1. EXTERNAL_IDENTITY_PROVIDER: the user came through one, which enforces its own MFA.
 * 2. MFA_NOT_ENABLED: the effective policy has TOTP off.
 * 3. ENROLLED: the user has an active or disabled TOTP factor, also under OPTIONAL.
 * 4. EXEMPT: an exemption is running. It excuses from enrolling, so it comes after ENROLLED.
 * 5. ENROLLMENT_OPTIONAL: nothing is required.
 * 6. GRACE_PERIOD: required, never enrolled before, and still within the grace period.
 * 7. ENROLLMENT_REQUIRED: otherwise. It matches always, so that whatever is not known ends here.
 */
const rules: readonly Rule[] = [
  {
    reason: 'EXTERNAL_IDENTITY_PROVIDER',
    status: 'AUTHENTICATED',
    purpose: null,
    matches: ({ identityProvider }) => identityProvider === 'EXTERNAL',
  },
  {
    reason: 'MFA_NOT_ENABLED',
    status: 'AUTHENTICATED',
    purpose: null,
    matches: ({ policy }) => !policy.mfaEnabled,
  },
  {
    reason: 'ENROLLED',
    status: 'MFA_CHALLENGE_REQUIRED',
    purpose: 'CHALLENGE',
    matches: ({ isEnrolled }) => isEnrolled,
  },
  {
    reason: 'EXEMPT',
    status: 'AUTHENTICATED',
    purpose: null,
    matches: ({ user }, now) => isExempt(user, now),
  },
  {
    reason: 'ENROLLMENT_OPTIONAL',
    status: 'AUTHENTICATED',
    purpose: null,
    matches: ({ policy }) => policy.enrollment === 'OPTIONAL',
  },
  {
    reason: 'GRACE_PERIOD',
    status: 'AUTHENTICATED',
    purpose: 'ENROLLMENT',
    matches: ({ policy, user }, now) => isWithinGrace(policy, user, now),
  },
  {
    reason: 'ENROLLMENT_REQUIRED',
    status: 'MFA_ENROLLMENT_REQUIRED',
    purpose: 'ENROLLMENT',
    matches: () => true,
  },
];

export function decide(inputs: DecisionInputs, now: Date): Decision {
  const asked = rules.map((rule) => ({ rule, matched: rule.matches(inputs, now) }));
  const { rule } = asked.find(({ matched }) => matched) as { rule: Rule };
  return {
    status: rule.status,
    reason: rule.reason,
    purpose: rule.purpose,
    enrollmentDueAt: rule.reason === 'GRACE_PERIOD' ? enrollmentDueAt(inputs, now) : null,
    rules: asked.map(({ rule: { reason }, matched }) => ({
      reason,
      matched,
      detail: () => details[reason](inputs, now),
    })),
  };
}

/** Whether a decision is the first that requires enrollment of the user: from then on grace runs. */
export const requiresEnrollment = ({ reason }: Decision): boolean =>
  reason === 'GRACE_PERIOD' || reason === 'ENROLLMENT_REQUIRED';
