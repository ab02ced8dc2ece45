import type { EffectivePolicyValues } from '../policy/effective-policy.ts';
import { contradictionIn, effectivePolicy } from '../policy/effective-policy.ts';
import { secondsAfter } from '../shared/clock.ts';
import { nameKey } from '../shared/text.ts';
import type { OverrideRule, PolicyValues, StoredOverride, StoredPolicy } from '../tenancy/policy-columns.ts';
import { businesses, products, trades } from './names.ts';
import type { Random } from './random.ts';
import type { PolicyCells, RowOf } from './tables.ts';

/* Applications and tenants as they could be: every rule, every kind of policy, every kind of override. */

export interface Place {
  id: string;
  displayName: string;
  createdAt: Date;
}

export interface SeededApplication extends Place {
  overrideRule: OverrideRule;
  policy: StoredPolicy;
}

export interface SeededTenant extends Place {
  application: SeededApplication;
  override: StoredOverride;
  effectivePolicy: EffectivePolicyValues;
}

const daySeconds = 24 * 3600;
export const daysBefore = (at: Date, days: number): Date => secondsAfter(at, -days * daySeconds);

type Profile = Omit<PolicyValues, 'issuer'> & { overrideRule: OverrideRule };

/** Applications take turns in these, so that a few applications show them all. */
const profiles: readonly [Profile, ...Profile[]] = [
  profile('ANY', { enrollment: 'OPTIONAL' }),
  profile('STRICTER_ONLY', { enrollment: 'REQUIRED', gracePeriodDays: 14 }),
  profile('ANY', { totpEnabled: false, recoveryCodesEnabled: false }),
  profile('NONE', { enrollment: 'REQUIRED', gracePeriodDays: 30 }),
  profile('ANY', { enrollment: 'REQUIRED', recoveryCodesEnabled: false }),
];

function profile(overrideRule: OverrideRule, values: Partial<PolicyValues>): Profile {
  return {
    overrideRule,
    totpEnabled: true,
    recoveryCodesEnabled: true,
    enrollment: 'OPTIONAL',
    gracePeriodDays: 0,
    ...values,
  };
}

/** @param n from 1 */
export function seedApplication(random: Random, prefix: string, n: number, now: Date): SeededApplication {
  const { overrideRule, ...values } = profiles[(n - 1) % profiles.length] ?? profiles[0];
  const displayName = `${random.pick(products)} ${n}`;
  const createdAt = daysBefore(now, 1_000 + random.below(500));
  return {
    id: `${prefix}-a${String(n).padStart(4, '0')}`,
    displayName,
    createdAt,
    overrideRule,
    policy: {
      ...values,
      issuer: random.chance(0.5) ? displayName : null,
      // Made with everything off, which is version 1.
      version: 2 + random.below(8),
      updatedAt: random.between(createdAt, daysBefore(now, 1)),
    },
  };
}

/** @param n from 1 */
export function seedTenant(
  random: Random,
  application: SeededApplication,
  prefix: string,
  n: number,
  now: Date,
): SeededTenant {
  const displayName = `${random.pick(businesses)} ${random.pick(trades)} ${n}`;
  const createdAt = random.between(application.createdAt, daysBefore(now, 30));
  const override = seedOverride(random, displayName, createdAt, now);
  return {
    id: `${prefix}-t${String(n).padStart(7, '0')}`,
    displayName,
    createdAt,
    application,
    override,
    effectivePolicy: effectivePolicy({ application, override }),
  };
}

/**
 * Most tenants have none; of the others every third has switched it off again. Under STRICTER_ONLY some
 * are weaker, as where the application was tightened after them.
 */
function seedOverride(random: Random, displayName: string, createdAt: Date, now: Date): StoredOverride {
  if (random.chance(0.5)) return { enabled: false, policy: null };
  const enabled = random.chance(2 / 3);
  const totpEnabled = random.chance(0.85);
  const values: PolicyValues = {
    totpEnabled,
    recoveryCodesEnabled: totpEnabled && random.chance(0.75),
    enrollment: totpEnabled && random.chance(0.6) ? 'REQUIRED' : 'OPTIONAL',
    gracePeriodDays: random.pick([0, 0, 7, 14, 30, 90]),
    issuer: random.chance(0.3) ? displayName : null,
  };
  const contradiction = contradictionIn(values);
  if (contradiction) throw new Error(`A seeded policy is refused: ${contradiction.reason}`);
  // To be off it was on before, or its values were written while it was off.
  const version = 1 + random.below(6);
  return {
    enabled,
    policy: { ...values, version, updatedAt: random.between(createdAt, daysBefore(now, 1)) },
  };
}

export const applicationRow = ({
  id,
  displayName,
  createdAt,
  overrideRule,
  policy,
}: SeededApplication): RowOf<'applications'> => ({
  id,
  display_name: displayName,
  name_key: nameKey(displayName),
  override_rule: overrideRule,
  created_at: createdAt,
  ...policyCells(policy),
});

export const tenantRow = ({
  id,
  displayName,
  createdAt,
  application,
  override: { enabled, policy },
}: SeededTenant): RowOf<'tenants'> => ({
  id,
  application_id: application.id,
  display_name: displayName,
  name_key: nameKey(displayName),
  override_enabled: enabled,
  created_at: createdAt,
  ...(policy ? policyCells(policy) : noPolicy),
});

const policyCells = (policy: StoredPolicy): PolicyCells => ({
  totp_enabled: policy.totpEnabled,
  recovery_codes_enabled: policy.recoveryCodesEnabled,
  enrollment: policy.enrollment,
  grace_period_days: policy.gracePeriodDays,
  issuer: policy.issuer,
  policy_version: policy.version,
  policy_updated_at: policy.updatedAt,
});

const noPolicy: PolicyCells = {
  totp_enabled: null,
  recovery_codes_enabled: null,
  enrollment: null,
  grace_period_days: null,
  issuer: null,
  policy_version: 0,
  policy_updated_at: null,
};
