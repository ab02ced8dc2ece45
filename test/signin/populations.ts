import fc from 'fast-check';
import type { Database } from '../../src/db/connection.ts';
import { uniqueId } from '../setup/harness.ts';

/*
 * Random applications, tenants and users, written as rows: states that the API reaches only after a
 * long time, and many of them. Moments lie a few whole days from now, so that bounds are met exactly.
 */

export interface Place {
  applicationId: string;
  tenantId: string;
  userId: string;
}

const days = fc.constantFrom(0, 1, 7, 30);
const policy = fc
  .record({
    totp: fc.constantFrom(true, true, true, false),
    recovery: fc.boolean(),
    required: fc.constantFrom(true, true, false),
    grace: days,
  })
  .map(({ totp, recovery, required, grace }) => ({
    totp_enabled: totp,
    recovery_codes_enabled: totp && recovery,
    enrollment: totp && required ? 'REQUIRED' : 'OPTIONAL',
    grace_period_days: grace,
  }));
const application = fc.record({
  policy,
  override_rule: fc.constantFrom('ANY', 'STRICTER_ONLY', 'NONE'),
});
const tenant = fc.record({ enabled: fc.boolean(), override: fc.option(policy) });
/** Days from now. */
const past = days.map((n) => -n);
const user = fc.record({
  isKnown: fc.constantFrom(true, true, true, true, false),
  requiredAt: fc.option(past),
  firstEnrolledAt: fc.option(past, { freq: 1 }),
  exemptUntil: fc.option(fc.oneof(past, days), { freq: 2 }),
  hasTotp: fc.constantFrom(true, false, false),
  hasRecoveryCode: fc.boolean(),
  failures: fc.constantFrom(0, 0, 4, 7, 50),
});

/** Makes a population of `applications` x `tenants` x `users` as of a moment. @param seed gives the same again */
export async function populate(
  { pool }: Database,
  now: Date,
  seed: number,
  { applications, tenants, users }: { applications: number; tenants: number; users: number },
): Promise<Place[]> {
  const inDays = (n: number | null) => (n === null ? null : new Date(now.getTime() + n * 86_400_000));
  const insert = (table: string, rows: readonly object[]) =>
    pool.query(`insert into ${table} select * from jsonb_populate_recordset(null::${table}, $1)`, [
      JSON.stringify(rows),
    ]);
  const common = { policy_updated_at: now, created_at: now };
  const apps = fc.sample(application, { numRuns: applications, seed }).map(({ policy, override_rule }) => {
    const id = uniqueId('app');
    return { id, display_name: id, name_key: id, override_rule, ...policy, policy_version: 1, ...common };
  });
  const homes = fc
    .sample(tenant, { numRuns: applications * tenants, seed: seed + 1 })
    .map(({ enabled, override }, n) => {
      const application_id = apps[n % applications]?.id as string;
      const id = `${application_id}.t${n}`;
      return {
        ...{ id, application_id, display_name: id, name_key: id, created_at: now },
        ...(override === null
          ? { override_enabled: false, policy_version: 0 }
          : { override_enabled: enabled, ...override, policy_version: 1, policy_updated_at: now }),
      };
    });
  const people = fc.sample(user, { numRuns: homes.length * users, seed: seed + 2 }).map((state, n) => ({
    ...state,
    tenant_id: homes[n % homes.length]?.id as string,
    id: uniqueId('user'),
  }));
  const known = people.filter(({ isKnown }) => isKnown);

  await insert('applications', apps);
  await insert('tenants', homes);
  await insert(
    'users',
    known.map(({ tenant_id, id, requiredAt, firstEnrolledAt, exemptUntil, failures }) => ({
      ...{ tenant_id, id, account_name: id, created_at: now },
      enrollment_required_at: inDays(requiredAt),
      first_enrolled_at: inDays(firstEnrolledAt),
      ...(exemptUntil !== null && {
        ...{ exempt_until: inDays(exemptUntil), exemption_reason: 'random', exemption_granted_by: 'chance' },
      }),
      totp_failures: failures,
      recovery_failures: 0,
    })),
  );
  const factor = (type: string) => (of: { tenant_id: string; id: string }) => ({
    ...{
      tenant_id: of.tenant_id,
      user_id: of.id,
      type,
      id: crypto.randomUUID(),
      key_id: 'test',
      secret: '\\x00',
    },
    ...{ spent: 0, created_at: now, activated_at: now },
  });
  await insert('auth_factors', [
    ...known.filter(({ hasTotp }) => hasTotp).map(factor('TOTP')),
    ...known.filter(({ hasRecoveryCode }) => hasRecoveryCode).map(factor('RECOVERY_CODE')),
  ]);
  const applicationOf = new Map(homes.map(({ id, application_id }) => [id, application_id]));
  return people.map(({ tenant_id, id }) => ({
    applicationId: applicationOf.get(tenant_id) as string,
    tenantId: tenant_id,
    userId: id,
  }));
}
