import type {
  MfaEnrollment,
  OverrideRule,
  PolicyValues,
  StoredOverride,
  StoredPolicy,
} from '../tenancy/policy-columns.ts';

export const PolicySource = { TENANT: 'TENANT', APPLICATION: 'APPLICATION' } as const;
export type PolicySource = keyof typeof PolicySource;

/** All that the effective policy depends on. */
export interface PolicyInputs {
  application: { displayName: string; overrideRule: OverrideRule; policy: StoredPolicy };
  override: StoredOverride;
}

export interface EffectivePolicyValues {
  /** False when TOTP is off: then nobody is enrolled or challenged, whatever the rest says. */
  mfaEnabled: boolean;
  totpEnabled: boolean;
  recoveryCodesEnabled: boolean;
  enrollment: MfaEnrollment;
  gracePeriodDays: number;
  /** Never blank. */
  issuer: string;
  source: PolicySource;
  /** The version of the policy that `source` names; a raised override shows its own. */
  version: number;
}

/**
 * What applies to a tenant's users now. The only place that knows these rules, in this order:
 *
 * 1. Rule NONE, toggle off, or no values: the application's policy, as a whole.
 * 2. Otherwise the override, as a whole.
 * 3. Under STRICTER_ONLY the override is raised to the application's policy wherever it is weaker.
 * 4. Without an issuer of its own, the policy that applies uses the application's display name.
 */
export function effectivePolicy({ application, override }: PolicyInputs): EffectivePolicyValues {
  const overrides = application.overrideRule !== 'NONE' && override.enabled;
  const own = overrides ? override.policy : null;
  const applying =
    own !== null && application.overrideRule === 'STRICTER_ONLY'
      ? { ...own, ...raised(own, application.policy) }
      : (own ?? application.policy);
  return {
    mfaEnabled: applying.totpEnabled,
    totpEnabled: applying.totpEnabled,
    recoveryCodesEnabled: applying.recoveryCodesEnabled,
    enrollment: applying.enrollment,
    gracePeriodDays: applying.gracePeriodDays,
    issuer: applying.issuer ?? application.displayName,
    source: own === null ? 'APPLICATION' : 'TENANT',
    version: applying.version,
  };
}

/** Whether an override applies that was raised: its stored values are weaker than what applies. */
export const isRaised = (effective: EffectivePolicyValues, { policy }: StoredOverride): boolean =>
  effective.source === 'TENANT' &&
  policy !== null &&
  (policy.totpEnabled !== effective.totpEnabled ||
    policy.enrollment !== effective.enrollment ||
    policy.gracePeriodDays !== effective.gracePeriodDays);

type Setting = keyof PolicyValues;

/** A setting that stands in the way, and why. */
export interface Objection {
  setting: Setting;
  reason: string;
}

/** Whether a policy makes sense in itself: it must not look strict and enforce nothing. */
export function contradictionIn(policy: PolicyValues): Objection | null {
  if (policy.totpEnabled) return null;
  if (policy.enrollment === 'REQUIRED') {
    return {
      setting: 'enrollment',
      reason:
        'enrollment REQUIRED needs totpEnabled: without TOTP nobody can enroll. Enable TOTP, or make enrollment OPTIONAL.',
    };
  }
  if (policy.recoveryCodesEnabled) {
    return {
      setting: 'recoveryCodesEnabled',
      reason:
        'recoveryCodesEnabled needs totpEnabled: a recovery code only stands in for TOTP. Enable TOTP, or switch recovery codes off.',
    };
  }
  return null;
}

/**
 * Whether an override may not be stored under the application's rule. Only STRICTER_ONLY judges
 * values: under NONE they are kept and ignored.
 */
export function weaknessOf(
  override: PolicyValues,
  application: { overrideRule: OverrideRule; policy: PolicyValues },
): Objection | null {
  if (application.overrideRule !== 'STRICTER_ONLY') return null;
  const [weaker] = Object.entries(raised(override, application.policy)) as [Setting, unknown][];
  if (weaker === undefined) return null;
  const [setting, least] = weaker;
  const bound = setting === 'gracePeriodDays' ? `at most ${least}` : String(least);
  return {
    setting,
    reason: `${setting} must be ${bound}: the application allows only overrides as strict as its own policy, or stricter.`,
  };
}

/** Where an override is weaker than the application's policy, the values that are just strict enough. */
function raised(override: PolicyValues, application: PolicyValues): Partial<PolicyValues> {
  const raise: Partial<PolicyValues> = {};
  if (application.totpEnabled && !override.totpEnabled) raise.totpEnabled = true;
  if (application.enrollment === 'REQUIRED') {
    if (override.enrollment !== 'REQUIRED') raise.enrollment = 'REQUIRED';
    if (override.gracePeriodDays > application.gracePeriodDays) {
      raise.gracePeriodDays = application.gracePeriodDays;
    }
  }
  return raise;
}
