import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { databaseSchema } from '../../src/database-schema.ts';
import { type Database, openDatabase } from '../../src/db/connection.ts';
import { rowsOf, sql } from '../../src/db/sql.ts';
import { effectivePolicy } from '../../src/policy/effective-policy.ts';
import { effectivePolicyColumns, effectivePolicySql } from '../../src/policy/effective-policy-sql.ts';
import { type TenantColumns, tenantColumns, toTenant } from '../../src/tenancy/rows.ts';
import { databaseUrl } from '../setup/harness.ts';
import { anyPopulation, store } from '../setup/population.ts';

let database: Database;
beforeAll(async () => {
  database = await openDatabase({ url: databaseUrl(), schema: databaseSchema, unlimited: true });
});
afterAll(() => database.close());

const withoutUsers = anyPopulation.map((population) => ({
  ...population,
  tenants: population.tenants.map((tenant) => ({ ...tenant, users: [] })),
}));

type InSql = Record<`p_${(typeof effectivePolicyColumns)[number]}`, unknown>;

describe('the effective policy in SQL', () => {
  test('is that of the function, of a thousand tenants and more under every rule', async () => {
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(withoutUsers, async (population) => {
        const { applicationId } = await store(database.pool, population, new Date());
        const rows = await rowsOf(
          database.fork(),
          sql<TenantColumns & InSql>`select ${tenantColumns},
            ${sql.join(effectivePolicyColumns.map((name) => sql`${sql.ref(`p.${name}`)} as ${sql.ref(`p_${name}`)}`))}
            from tenants t join applications a on a.id = t.application_id
            cross join lateral (${effectivePolicySql('t', 'a')}) p where a.id = ${applicationId}`,
        );
        expect(rows).toHaveLength(population.tenants.length);
        for (const row of rows) {
          const policy = effectivePolicy(toTenant(row));
          expect({
            totpEnabled: row.p_totp_enabled,
            recoveryCodesEnabled: row.p_recovery_codes_enabled,
            enrollment: row.p_enrollment,
            gracePeriodDays: row.p_grace_period_days,
            issuer: row.p_issuer,
            source: row.p_source,
          }).toEqual({
            totpEnabled: policy.totpEnabled,
            recoveryCodesEnabled: policy.recoveryCodesEnabled,
            enrollment: policy.enrollment,
            gracePeriodDays: policy.gracePeriodDays,
            issuer: policy.issuer,
            source: policy.source,
          });
          const kind = `${population.rule} ${policy.source}`;
          seen.set(kind, (seen.get(kind) ?? 0) + 1);
        }
      }),
      { numRuns: 400 },
    );
    // All that can be was met, often.
    expect([...seen.keys()].sort()).toEqual([
      'ANY APPLICATION',
      'ANY TENANT',
      'NONE APPLICATION',
      'STRICTER_ONLY APPLICATION',
      'STRICTER_ONLY TENANT',
    ]);
    expect(Math.min(...seen.values())).toBeGreaterThan(100);
  });
});
