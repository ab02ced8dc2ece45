import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  contradictionIn,
  effectivePolicy,
  type PolicyInputs,
  weaknessOf,
} from '../../src/policy/effective-policy.ts';
import { nextOverride } from '../../src/policy/policy.service.ts';
import { InvalidPolicy } from '../../src/shared/user-error.type.ts';
import type { OverrideRule, PolicyValues, StoredPolicy } from '../../src/tenancy/policy-columns.ts';

const off: PolicyValues = {
  totpEnabled: false,
  recoveryCodesEnabled: false,
  enrollment: 'OPTIONAL',
  gracePeriodDays: 0,
  issuer: null,
};
const on: PolicyValues = { ...off, totpEnabled: true };
const required: PolicyValues = { ...on, enrollment: 'REQUIRED', gracePeriodDays: 7 };

const stored = (values: PolicyValues, version: number): StoredPolicy => ({
  ...values,
  version,
  updatedAt: new Date(0),
});

function inputs(
  overrideRule: OverrideRule,
  application: PolicyValues,
  override: { enabled: boolean; values: PolicyValues | null },
): PolicyInputs {
  return {
    application: { displayName: 'The App', overrideRule, policy: stored(application, 3) },
    override: { enabled: override.enabled, policy: override.values && stored(override.values, 5) },
  };
}

describe('the effective policy', () => {
  test.each([
    [
      'toggle off, no values: the application applies',
      inputs('ANY', on, { enabled: false, values: null }),
      { ...on, source: 'APPLICATION', version: 3 },
    ],
    [
      'toggle off, values kept: the application applies',
      inputs('ANY', on, { enabled: false, values: required }),
      { ...on, source: 'APPLICATION', version: 3 },
    ],
    [
      'toggle on: the tenant applies as a whole',
      inputs('ANY', required, { enabled: true, values: off }),
      { ...off, source: 'TENANT', version: 5 },
    ],
    [
      'rule NONE: stored overrides are ignored',
      inputs('NONE', on, { enabled: true, values: required }),
      { ...on, source: 'APPLICATION', version: 3 },
    ],
    [
      'STRICTER_ONLY: a stricter override applies as it is',
      inputs('STRICTER_ONLY', on, { enabled: true, values: required }),
      { ...required, source: 'TENANT', version: 5 },
    ],
    [
      'STRICTER_ONLY: TOTP off is raised to on',
      inputs('STRICTER_ONLY', on, { enabled: true, values: off }),
      { ...on, source: 'TENANT', version: 5 },
    ],
    [
      'STRICTER_ONLY: OPTIONAL is raised to REQUIRED',
      inputs('STRICTER_ONLY', required, { enabled: true, values: on }),
      { ...required, gracePeriodDays: 0, source: 'TENANT', version: 5 },
    ],
    [
      'STRICTER_ONLY: a longer grace is cut',
      inputs('STRICTER_ONLY', required, { enabled: true, values: { ...required, gracePeriodDays: 8 } }),
      { ...required, source: 'TENANT', version: 5 },
    ],
    [
      'STRICTER_ONLY: a shorter grace stays',
      inputs('STRICTER_ONLY', required, { enabled: true, values: { ...required, gracePeriodDays: 6 } }),
      { ...required, gracePeriodDays: 6, source: 'TENANT', version: 5 },
    ],
    [
      'STRICTER_ONLY: grace is not compared where the application is OPTIONAL',
      inputs('STRICTER_ONLY', on, { enabled: true, values: { ...required, gracePeriodDays: 300 } }),
      { ...required, gracePeriodDays: 300, source: 'TENANT', version: 5 },
    ],
    [
      "STRICTER_ONLY: recovery codes are the tenant's to choose",
      inputs('STRICTER_ONLY', { ...on, recoveryCodesEnabled: true }, { enabled: true, values: on }),
      { ...on, source: 'TENANT', version: 5 },
    ],
    [
      'STRICTER_ONLY: toggle off: the application applies',
      inputs('STRICTER_ONLY', required, { enabled: false, values: off }),
      { ...required, source: 'APPLICATION', version: 3 },
    ],
  ] as const)('%s', (_name, given, wanted) => {
    expect(effectivePolicy(given)).toEqual({ ...wanted, mfaEnabled: wanted.totpEnabled, issuer: 'The App' });
  });

  test.each([
    [
      "the application's issuer",
      inputs('ANY', { ...on, issuer: 'Own' }, { enabled: false, values: null }),
      'Own',
    ],
    [
      "the override's issuer",
      inputs('ANY', { ...on, issuer: 'Own' }, { enabled: true, values: { ...on, issuer: 'Tenant' } }),
      'Tenant',
    ],
    [
      "the application's display name, under an override without an issuer too",
      inputs('ANY', { ...on, issuer: 'Own' }, { enabled: true, values: on }),
      'The App',
    ],
    [
      'an issuer is no matter of strictness',
      inputs(
        'STRICTER_ONLY',
        { ...on, issuer: 'Own' },
        { enabled: true, values: { ...off, issuer: 'Tenant' } },
      ),
      'Tenant',
    ],
  ] as const)('the effective issuer is %s', (_name, given, issuer) => {
    expect(effectivePolicy(given).issuer).toBe(issuer);
  });
});

// --- properties -----------------------------------------------------------------------------------

const anyValues: fc.Arbitrary<PolicyValues> = fc
  .record({
    totpEnabled: fc.boolean(),
    recoveryCodesEnabled: fc.boolean(),
    enrollment: fc.constantFrom('OPTIONAL' as const, 'REQUIRED' as const),
    gracePeriodDays: fc.integer({ min: 0, max: 365 }),
    issuer: fc.option(fc.string({ minLength: 1 })),
  })
  .filter((values) => contradictionIn(values) === null);
const anyRule = fc.constantFrom<OverrideRule>('ANY', 'STRICTER_ONLY', 'NONE');
const anyOverride = fc.record({ enabled: fc.boolean(), values: fc.option(anyValues) });

/** Strictness as rules.md section 1 words it, written down apart from the code. */
function isWeaker(a: PolicyValues, than: PolicyValues): boolean {
  return (
    (than.totpEnabled && !a.totpEnabled) ||
    (than.enrollment === 'REQUIRED' && a.enrollment === 'OPTIONAL') ||
    (than.enrollment === 'REQUIRED' && a.gracePeriodDays > than.gracePeriodDays)
  );
}

describe('the effective policy, whatever is stored', () => {
  const runs = { numRuns: 2_000 };

  test("under STRICTER_ONLY is never weaker than the application's policy", () => {
    fc.assert(
      fc.property(anyValues, anyOverride, (application, override) => {
        const effective = effectivePolicy(inputs('STRICTER_ONLY', application, override));
        expect(isWeaker({ ...effective, issuer: null }, application)).toBe(false);
      }),
      runs,
    );
  });

  test('never contradicts itself, and has an issuer', () => {
    fc.assert(
      fc.property(anyRule, anyValues, anyOverride, (rule, application, override) => {
        const effective = effectivePolicy(inputs(rule, application, override));
        expect(contradictionIn(effective)).toBeNull();
        expect(effective.issuer).not.toBe('');
      }),
      runs,
    );
  });

  test('does not change by switching an override on that has no values yet', () => {
    fc.assert(
      fc.property(anyRule, anyValues, (rule, application) => {
        const before = inputs(rule, application, { enabled: false, values: null });
        const after = nextOverride(before as never, true, null, new Date(0));
        if (after instanceof InvalidPolicy) throw new Error(after.message);
        const { source: _s, version: _v, ...then } = effectivePolicy(before);
        const { source: _t, version: _w, ...now } = effectivePolicy({ ...before, override: after });
        expect(now).toEqual(then);
      }),
      runs,
    );
  });

  test('raises nothing that a write would have been allowed to store', () => {
    fc.assert(
      fc.property(anyValues, anyValues, (application, override) => {
        const given = inputs('STRICTER_ONLY', application, { enabled: true, values: override });
        const { totpEnabled, enrollment, gracePeriodDays } = effectivePolicy(given);
        const isRaised =
          totpEnabled !== override.totpEnabled ||
          enrollment !== override.enrollment ||
          gracePeriodDays !== override.gracePeriodDays;
        expect(weaknessOf(override, given.application) !== null).toBe(isRaised);
        expect(isWeaker(override, application)).toBe(isRaised);
      }),
      runs,
    );
  });
});
