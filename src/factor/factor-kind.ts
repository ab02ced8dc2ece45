import type { AuditAction } from '../audit/audit.service.ts';
import type { RawBuilder } from '../db/sql.ts';
import type { EffectivePolicyValues } from '../policy/effective-policy.ts';
import type { KeptSecret, KeyRing } from '../shared/key-ring.ts';
import type { AuthFactorType, FactorPlace } from './rows.ts';

/** What a kind of factor makes when it is begun. */
interface BegunFactor {
  /** What is stored: sealed or digested. */
  kept: KeptSecret;
  /** What the user is shown, once. Never stored, never logged. */
  shown: string;
}

/**
 * One kind of factor. Flows know this interface and nothing of the kinds behind it: adding a kind
 * adds a file, not a case.
 */
export interface FactorKind {
  readonly type: AuthFactorType;
  /** The amr value of a step that this kind satisfied [RFC 8176 for otp]. */
  readonly amr: 'otp' | 'recovery';
  /** The columns of the user's attempts with codes of this kind. */
  readonly attempts: AttemptColumns;
  isAllowedBy(policy: EffectivePolicyValues): boolean;
  begin(place: FactorPlace, keyRing: KeyRing): BegunFactor;
  /**
   * Looks at a code. Whatever the code looks like, it is only right or wrong.
   * @param spent what was accepted last; nothing at or before it is accepted again
   * @returns what the code spends, greater than `spent`; null for a wrong code
   * @throws UnknownKey and other faults of ours, before the code was looked at
   */
  verify(code: string, factor: FactorUnderTest, keyRing: KeyRing, now: Date): number | null;
  /** What else an accepted code changes in the user's row, as SQL assignments. */
  readonly onAccepted: RawBuilder<unknown>;
  /** What the record tells of an accepted code. */
  readonly usedAction: AuditAction;
}

export interface FactorUnderTest {
  place: FactorPlace;
  secret: KeptSecret;
  spent: number;
}

/** Column names, written into statements; never anything a caller gave. */
export interface AttemptColumns {
  failures: 'totp_failures' | 'recovery_failures';
  lockedUntil: 'totp_locked_until' | 'recovery_locked_until';
}
