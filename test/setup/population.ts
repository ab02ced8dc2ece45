import fc from 'fast-check';
import type { Pool } from 'pg';
import { contradictionIn } from '../../src/policy/effective-policy.ts';
import type { OverrideRule, PolicyValues } from '../../src/tenancy/policy-columns.ts';
import { uniqueId } from './harness.ts';

/*
 * Random populations: an application, its tenants and their users, in every state that the tables
 * allow. Rows are written by SQL, since many of these states take days and dozens of calls to come about.
 */

/** A user, in days from now; the moment itself is among them. */
interface RandomUser {
  /** Given by its place where left out. */
  id?: string;
  enrollmentRequiredAt: number | null;
  firstEnrolledAt: number | null;
  exemptUntil: number | null;
  factors: readonly ('TOTP' | 'RECOVERY_CODE')[];
  totpFailures: number;
}

interface RandomTenant {
  enabled: boolean;
  values: PolicyValues | null;
  users: readonly RandomUser[];
}

export interface Population {
  rule: OverrideRule;
  policy: PolicyValues;
  tenants: readonly RandomTenant[];
}

/** Few different ones, so that equal, longer and shorter ones meet. */
const graceDays = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, 1, 7, 30) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 365 }) },
);

const issuers = fc.constantFrom(null, null, 'One', 'Two', 'The App');

export const anyPolicy: fc.Arbitrary<PolicyValues> = fc
  .record({
    totpEnabled: fc.constantFrom(true, true, false),
    recoveryCodesEnabled: fc.boolean(),
    enrollment: fc.constantFrom('OPTIONAL' as const, 'REQUIRED' as const),
    gracePeriodDays: graceDays,
    issuer: issuers,
  })
  .filter((values) => contradictionIn(values) === null);

const daysAgo = fc.constantFrom(0, -0.5, -1, -3, -7, -10, -30, -100);

const anyUser: fc.Arbitrary<RandomUser> = fc
  .record({
    enrollmentRequiredAt: fc.option(daysAgo),
    firstEnrolledAt: fc.option(daysAgo),
    exemptUntil: fc.option(fc.constantFrom(-5, -0.001, 0, 0.001, 5), { freq: 2 }),
    factors: fc.subarray(['TOTP', 'RECOVERY_CODE'] as const),
    totpFailures: fc.constantFrom(0, 0, 3, 50),
  })
  // Who has an authenticator was enrolled once.
  .map((user) =>
    user.factors.includes('TOTP') ? { ...user, firstEnrolledAt: user.firstEnrolledAt ?? -1 } : user,
  );

const anyTenant: fc.Arbitrary<RandomTenant> = fc
  .record({
    enabled: fc.boolean(),
    values: fc.option(anyPolicy, { freq: 3 }),
    users: fc.array(anyUser, { maxLength: 8 }),
  })
  .map((tenant) => ({ ...tenant, enabled: tenant.enabled && tenant.values !== null }));

export const anyPopulation: fc.Arbitrary<Population> = fc.record({
  rule: fc.constantFrom('ANY' as const, 'STRICTER_ONLY' as const, 'NONE' as const),
  policy: anyPolicy,
  tenants: fc.array(anyTenant, { minLength: 1, maxLength: 6 }),
});

export interface StoredPopulation {
  applicationId: string;
  /** In the order of the population. */
  tenantIds: string[];
}

/** Writes a population, under ids of its own unless told. */
export async function store(
  pool: Pool,
  population: Population,
  now: Date,
  applicationId = uniqueId('app'),
): Promise<StoredPopulation> {
  const tenants = population.tenants.map((tenant, n) => ({ ...tenant, id: `${applicationId}.t${n}` }));
  const users = tenants.flatMap((tenant) =>
    tenant.users.map((user, n) => ({ ...user, tenantId: tenant.id, id: user.id ?? `user ${n}` })),
  );
  const at = (days: number | null): string | null =>
    days === null ? null : new Date(now.getTime() + days * 24 * 3600 * 1000).toISOString();
  const rows: Record<string, readonly object[]> = {
    applications: [
      {
        id: applicationId,
        display_name: 'The App',
        name_key: 'the app',
        override_rule: population.rule,
        ...policyRow(population.policy),
        policy_version: 1,
        policy_updated_at: now,
        created_at: now,
      },
    ],
    tenants: tenants.map(({ id, enabled, values }) => ({
      id,
      application_id: applicationId,
      display_name: id,
      name_key: id,
      override_enabled: enabled,
      ...policyRow(values),
      policy_version: values === null ? 0 : 1,
      policy_updated_at: values === null ? null : now,
      created_at: now,
    })),
    users: users.map((user) => ({
      tenant_id: user.tenantId,
      id: user.id,
      enrollment_required_at: at(user.enrollmentRequiredAt),
      first_enrolled_at: at(user.firstEnrolledAt),
      exempt_until: at(user.exemptUntil),
      totp_failures: user.totpFailures,
      recovery_failures: 0,
      created_at: now,
    })),
    auth_factors: users.flatMap(({ tenantId, id, factors }) =>
      factors.map((type) => ({
        tenant_id: tenantId,
        user_id: id,
        type,
        id: crypto.randomUUID(),
        key_id: 'none',
        secret: '\\x00',
        spent: 0,
        created_at: now,
        activated_at: now,
      })),
    ),
  };
  // One statement: references are checked at its end.
  const inserts = Object.entries(rows)
    .filter(([, [first]]) => first !== undefined)
    .map(([table, [first]]) => {
      const columns = Object.keys(first ?? {}).join(', ');
      return `${table}_made as (insert into ${table} (${columns})
        select ${columns} from jsonb_populate_recordset(null::${table}, $1::jsonb -> '${table}'))`;
    });
  await pool.query(`with ${inserts.join(', ')} select 1`, [JSON.stringify(rows)]);
  return { applicationId, tenantIds: tenants.map(({ id }) => id) };
}

const policyRow = (values: PolicyValues | null) => ({
  totp_enabled: values?.totpEnabled ?? null,
  recovery_codes_enabled: values?.recoveryCodesEnabled ?? null,
  enrollment: values?.enrollment ?? null,
  grace_period_days: values?.gracePeriodDays ?? null,
  issuer: values?.issuer ?? null,
});
