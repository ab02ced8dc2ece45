import { isDisabled, runningWait } from '../factor/attempts.ts';
import type { FactorKind } from '../factor/factor-kind.ts';
import { recoveryCode } from '../factor/recovery-code.ts';
import type { AuthFactorType, PendingFactor, StoredFactor } from '../factor/rows.ts';
import { totp } from '../factor/totp.ts';
import { type EffectivePolicyValues, effectivePolicy } from '../policy/effective-policy.ts';
import { enrollmentDueAt, isExempt, mfaState, type StateInputs } from './mfa-state.ts';
import { enrolledFactor, type StoredUser, type Subject } from './subject.ts';
import type { AuthFactor, RecoveryCodeState, UserMfa } from './user.type.ts';

const kinds: Record<AuthFactorType, FactorKind> = { TOTP: totp, RECOVERY_CODE: recoveryCode };
const failuresOf: Record<AuthFactorType, (user: StoredUser) => number> = {
  TOTP: (user) => user.totpFailures,
  RECOVERY_CODE: (user) => user.recoveryFailures,
};

/** What state and decision are made from. */
export const stateInputs = (subject: Subject): StateInputs & { policy: EffectivePolicyValues } => ({
  policy: effectivePolicy(subject.tenant),
  user: subject.user,
  isEnrolled: enrolledFactor(subject) !== undefined,
});

/** What the API shows of a subject. */
export function userMfa(subject: Subject, now: Date): UserMfa {
  const { user, tenant } = subject;
  const inputs = stateInputs(subject);
  return {
    tenant,
    state: mfaState(inputs, now),
    factors: visibleFactors(subject, inputs.policy),
    recoveryCodeState: recoveryCodeState(subject),
    enrollmentDueAt: enrollmentDueAt(inputs, now),
    exemption: isExempt(user, now) ? user.exemption : null,
    lockedUntil: runningWait(user.totpLockedUntil, now) ?? runningWait(user.recoveryLockedUntil, now),
  };
}

function visibleFactors(subject: Subject, policy: EffectivePolicyValues): AuthFactor[] {
  const stored = Object.values(subject.factors).filter((factor) => !isRedeemed(factor));
  return [
    ...stored.map((factor) => factorView(factor, subject.user, policy)),
    ...subject.pending.map((factor) => pendingView(factor, policy)),
  ];
}

/** A recovery code that was redeemed is dead. */
const isRedeemed = ({ type, spent }: StoredFactor): boolean => type === 'RECOVERY_CODE' && spent > 0;

export const recoveryCodeState = ({ factors: { RECOVERY_CODE: factor } }: Subject): RecoveryCodeState => {
  if (factor === undefined) return 'NONE';
  return isRedeemed(factor) ? 'USED' : 'ACTIVE';
};

export function factorView(
  factor: StoredFactor,
  user: StoredUser,
  policy: EffectivePolicyValues,
): AuthFactor {
  const isOff = isDisabled(failuresOf[factor.type](user)) || isRedeemed(factor);
  return {
    id: factor.id,
    type: factor.type,
    status: isOff ? 'DISABLED' : 'ACTIVE',
    suspendedByPolicy: !kinds[factor.type].isAllowedBy(policy),
    createdAt: factor.createdAt,
    activatedAt: factor.activatedAt,
    lastUsedAt: factor.lastUsedAt,
  };
}

export const pendingView = (
  { id, type, createdAt }: Pick<PendingFactor, 'id' | 'type' | 'createdAt'>,
  policy: EffectivePolicyValues,
): AuthFactor => ({
  id,
  type,
  status: 'PENDING',
  suspendedByPolicy: !kinds[type].isAllowedBy(policy),
  createdAt,
  activatedAt: null,
  lastUsedAt: null,
});

/** The kinds of factors whose codes could be accepted now. */
export function verifiableTypes(subject: Subject): AuthFactorType[] {
  const policy = effectivePolicy(subject.tenant);
  return Object.values(subject.factors)
    .filter((factor) => factorView(factor, subject.user, policy).status === 'ACTIVE')
    .map(({ type }) => type)
    .filter((type) => kinds[type].isAllowedBy(policy));
}
