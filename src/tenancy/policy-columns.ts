/*
 * The columns of an MFA policy. They stand in the rows of their owners, applications and tenants:
 * an application then has exactly one policy by construction, and one statement on one row reads or
 * changes an owner with its policy.
 */

export const MfaEnrollment = { OPTIONAL: 'OPTIONAL', REQUIRED: 'REQUIRED' } as const;
export type MfaEnrollment = keyof typeof MfaEnrollment;

export const OverrideRule = { ANY: 'ANY', STRICTER_ONLY: 'STRICTER_ONLY', NONE: 'NONE' } as const;
export type OverrideRule = keyof typeof OverrideRule;

export interface PolicyValues {
  totpEnabled: boolean;
  recoveryCodesEnabled: boolean;
  enrollment: MfaEnrollment;
  /** 0 to 365. */
  gracePeriodDays: number;
  /** Trimmed, never blank. */
  issuer: string | null;
}

export interface StoredPolicy extends PolicyValues {
  /** Starts at 1. */
  version: number;
  updatedAt: Date;
}

export interface StoredOverride {
  enabled: boolean;
  /** Null until values were given or the toggle was switched on for the first time. */
  policy: StoredPolicy | null;
}
