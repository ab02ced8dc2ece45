import { type RawBuilder, type Statements, sql } from '../db/sql.ts';

/*
 * What goes when a user's MFA goes (security.md ENR-2), whoever asks for it. The moments of the first
 * request and of the first enrollment stay: grace is not renewable.
 */

/**
 * All that a user has of MFA: factors with their last steps, what was begun, open steps.
 * @param factors which factors; the rest goes whatever they are
 * @param allowed nothing goes where it does not hold
 */
export const clearedMfa = (
  ofUser: RawBuilder<unknown>,
  now: Date,
  factors: RawBuilder<unknown>,
  allowed: RawBuilder<unknown>,
): Statements => ({
  removed: sql`delete from auth_factors where ${ofUser} and ${factors} and ${allowed} returning type`,
  pending_gone: sql`delete from pending_auth_factors where ${ofUser} and ${allowed}`,
  steps_ended: sql`update mfa_steps set ended_at = ${now} where ${ofUser} and finished_at is null and ended_at is null and ${allowed}`,
});

/** Assignments to the user's row. */
export const noRecoveryFailures = sql`recovery_failures = 0, recovery_locked_until = null`;
export const noFailures = sql`${noRecoveryFailures}, totp_failures = 0, totp_locked_until = null`;
