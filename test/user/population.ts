import fc from 'fast-check';
import { effectivePolicy } from '../../src/policy/effective-policy.ts';
import type { PolicyValues } from '../../src/tenancy/policy-columns.ts';
import { type MfaState, mfaState } from '../../src/user/mfa-state.ts';
import type { TestServer } from '../setup/harness.ts';
import type { World } from '../setup/world.ts';

/*
 * Random tenants full of users, written by SQL, and where each of them stands by the pure rules.
 */

const dayMs = 24 * 3600 * 1000;

interface Person {
  /** Days from now, on the spot included; null: never. */
  requiredAt: number | null;
  enrolledAt: number | null;
  exemptUntil: number | null;
  totp: 'none' | 'pending' | 'expired' | 'active' | 'disabled' | 'locked';
  recovery: 'none' | 'active' | 'used';
}

export interface Population {
  application: PolicyValues;
  overrideRule: 'ANY' | 'STRICTER_ONLY' | 'NONE';
  override: { enabled: boolean; policy: PolicyValues } | null;
  people: Person[];
}

const policy: fc.Arbitrary<PolicyValues> = fc
  .record({
    totpEnabled: fc.constantFrom(true, true, true, false),
    recoveryCodesEnabled: fc.boolean(),
    enrollment: fc.constantFrom('REQUIRED' as const, 'REQUIRED' as const, 'OPTIONAL' as const),
    gracePeriodDays: fc.integer({ min: 0, max: 5 }),
  })
  .map((values) =>
    values.totpEnabled
      ? { ...values, issuer: null }
      : { ...values, recoveryCodesEnabled: false, enrollment: 'OPTIONAL', issuer: null },
  );

/** Whole days meet the bounds to the millisecond; the others lie between them. */
const days = fc.integer({ min: -14, max: 14 }).map((halves) => halves / 2);

const person: fc.Arbitrary<Person> = fc.record({
  requiredAt: fc.option(days.filter((day) => day <= 0)),
  enrolledAt: fc.option(days.filter((day) => day <= 0)),
  exemptUntil: fc.option(days),
  totp: fc.constantFrom('none', 'none', 'none', 'pending', 'expired', 'active', 'disabled', 'locked'),
  recovery: fc.constantFrom('none', 'active', 'used'),
});

export const population: fc.Arbitrary<Population> = fc.record({
  application: policy,
  overrideRule: fc.constantFrom('ANY', 'STRICTER_ONLY', 'NONE'),
  override: fc.option(fc.record({ enabled: fc.boolean(), policy })),
  people: fc.array(person, { minLength: 8, maxLength: 40 }),
});

/** Where everybody stands, by the pure rules. Ids are in the order of the list. */
export function statesOf({ application, overrideRule, override, people }: Population, now: Date) {
  const stored = (values: PolicyValues) => ({ ...values, version: 1, updatedAt: now });
  const applying = effectivePolicy({
    application: { displayName: 'Populated', overrideRule, policy: stored(application) },
    override: override
      ? { enabled: override.enabled, policy: stored(override.policy) }
      : { enabled: false, policy: null },
  });
  return new Map<string, MfaState>(
    people.map(({ requiredAt, enrolledAt, exemptUntil, totp }, n) => [
      idOf(n),
      mfaState(
        {
          policy: applying,
          isEnrolled: ['active', 'disabled', 'locked'].includes(totp),
          user: {
            enrollmentRequiredAt: fromNow(requiredAt, now),
            firstEnrolledAt: fromNow(enrolledAt, now),
            exemption:
              exemptUntil === null
                ? null
                : { until: new Date(now.getTime() + exemptUntil * dayMs), reason: 'r', grantedBy: 'g' },
          },
        },
        now,
      ),
    ]),
  );
}

export const idOf = (n: number): string => `user ${String(n).padStart(3, '0')}`;

const fromNow = (day: number | null, now: Date): Date | null =>
  day === null ? null : new Date(now.getTime() + day * dayMs);

/** Puts a population into the first tenant of a world, in the place of the one before. */
export async function settle(
  { database: { pool }, clock }: TestServer,
  { applicationId, tenantIds: [tenantId] }: World,
  { application, overrideRule, override, people }: Population,
): Promise<void> {
  const now = clock.now();
  const values = (policy: PolicyValues | undefined) => [
    policy?.totpEnabled ?? null,
    policy?.recoveryCodesEnabled ?? null,
    policy?.enrollment ?? null,
    policy?.gracePeriodDays ?? null,
  ];
  const set = 'set totp_enabled = $2, recovery_codes_enabled = $3, enrollment = $4, grace_period_days = $5';
  await pool.query(`update applications ${set}, override_rule = $6 where id = $1`, [
    applicationId,
    ...values(application),
    overrideRule,
  ]);
  await pool.query(
    `update tenants ${set}, override_enabled = $6, policy_version = $7, policy_updated_at = $8 where id = $1`,
    [
      tenantId,
      ...values(override?.policy),
      override?.enabled ?? false,
      override ? 1 : 0,
      override ? now : null,
    ],
  );
  await pool.query('delete from users where tenant_id = $1', [tenantId]);
  const rows = people.map(({ requiredAt, enrolledAt, exemptUntil, totp, recovery }, n) => ({
    id: idOf(n),
    required_at: fromNow(requiredAt, now),
    enrolled_at: fromNow(enrolledAt, now),
    exempt_until: fromNow(exemptUntil, now),
    failures: { disabled: 50, locked: 7 }[totp as string] ?? 0,
    totp,
    recovery,
  }));
  await pool.query(
    `with people as (
      select * from jsonb_to_recordset($2::jsonb) as p(id text, required_at timestamptz, enrolled_at timestamptz,
        exempt_until timestamptz, failures int, totp text, recovery text)
    ), known as (
      insert into users (tenant_id, id, enrollment_required_at, first_enrolled_at, exempt_until, exemption_reason,
        exemption_granted_by, totp_failures, totp_locked_until, created_at)
      select $1, id, required_at, enrolled_at, exempt_until, 'reason', 'admin', failures,
        case when failures > 0 then $3::timestamptz + interval '1 hour' end, $3 from people
    ), active as (
      insert into auth_factors (tenant_id, user_id, type, id, key_id, secret, spent, created_at, activated_at)
      select $1, id, type, gen_random_uuid(), 'test', '\\x00', spent, $3, $3 from (
        select id, 'TOTP' as type, 0 as spent from people where totp in ('active', 'disabled', 'locked')
        union all
        select id, 'RECOVERY_CODE', (recovery = 'used')::int from people where recovery <> 'none'
      ) f
    )
    insert into pending_auth_factors (tenant_id, id, user_id, type, key_id, secret, created_at, expires_at)
    select $1, gen_random_uuid(), id, 'TOTP', 'test', '\\x00', $3,
      $3::timestamptz + case totp when 'pending' then interval '5 minutes' else interval '-5 minutes' end
    from people where totp in ('pending', 'expired')`,
    [tenantId, JSON.stringify(rows), now],
  );
}
