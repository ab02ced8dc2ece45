import type { EffectivePolicyValues } from '../policy/effective-policy.ts';
import { secondsAfter } from '../shared/clock.ts';
import type { StoredUser } from './subject.ts';

export const MfaState = {
  ENROLLED: 'ENROLLED',
  OPTIONAL: 'OPTIONAL',
  PENDING: 'PENDING',
  OVERDUE: 'OVERDUE',
  EXEMPT: 'EXEMPT',
  DISABLED: 'DISABLED',
} as const;
export type MfaState = keyof typeof MfaState;

const daySeconds = 24 * 3600;

/** All that the state of a user depends on. */
export interface StateInputs {
  policy: Pick<EffectivePolicyValues, 'mfaEnabled' | 'enrollment' | 'gracePeriodDays'>;
  user: Pick<StoredUser, 'enrollmentRequiredAt' | 'firstEnrolledAt' | 'exemption'>;
  isEnrolled: boolean;
}

/** Where a user stands. The order is that of the decision (rules.md section 2). */
export function mfaState({ policy, user, isEnrolled }: StateInputs, now: Date): MfaState {
  if (!policy.mfaEnabled) return 'DISABLED';
  if (isEnrolled) return 'ENROLLED';
  if (isExempt(user, now)) return 'EXEMPT';
  if (policy.enrollment === 'OPTIONAL') return 'OPTIONAL';
  return isWithinGrace(policy, user, now) ? 'PENDING' : 'OVERDUE';
}

export const isExempt = ({ exemption }: StateInputs['user'], now: Date): boolean =>
  exemption !== null && exemption.until > now;

/**
 * Whether a user of whom enrollment is required may still sign in without. Who was never asked is
 * asked now; who ever was enrolled has no grace.
 */
export function isWithinGrace(policy: StateInputs['policy'], user: StateInputs['user'], now: Date): boolean {
  return user.firstEnrolledAt === null && dueAt(policy, user.enrollmentRequiredAt ?? now) > now;
}

/** When an enrollment that was required at a moment becomes due. */
export const dueAt = (
  { gracePeriodDays }: Pick<StateInputs['policy'], 'gracePeriodDays'>,
  requiredAt: Date,
): Date => secondsAfter(requiredAt, gracePeriodDays * daySeconds);

/** When the enrollment that is pending, or overdue, becomes or became due; null when the user was never asked. */
export function enrollmentDueAt(inputs: StateInputs, now: Date): Date | null {
  const { policy, user } = inputs;
  const state = mfaState(inputs, now);
  if (user.enrollmentRequiredAt === null || (state !== 'PENDING' && state !== 'OVERDUE')) return null;
  return user.firstEnrolledAt === null ? dueAt(policy, user.enrollmentRequiredAt) : user.enrollmentRequiredAt;
}
