import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  PreviewApplicationDocument,
  PreviewTenantDocument,
  type PreviewTenantQueryVariables,
  PreviewTenantsDocument,
  type PreviewTenantsQueryVariables,
  SetOverridesDocument,
  SetTenantMfaPolicyOverrideDocument,
  UpdateTenantMfaPolicyDocument,
} from '../generated/documents.ts';
import { startTestServer, type TestCaller, type TestServer } from '../setup/harness.ts';
import { store } from '../setup/population.ts';
import { makeWorld, override, type World } from '../setup/world.ts';
import { statementsOf } from '../tenancy/statements.ts';

let server: TestServer;
let admin: TestCaller;
beforeAll(async () => {
  server = await startTestServer();
  server.clock.fix(new Date());
  admin = await server.caller();
});
afterAll(() => server.stop());

const required = { totpEnabled: true, enrollment: 'REQUIRED' as const };

async function ofApplication(applicationId: string, policy: object) {
  return (await admin.call(PreviewApplicationDocument, { applicationId, policy })).data.preview;
}

async function ofTenant(variables: PreviewTenantQueryVariables) {
  return (await admin.call(PreviewTenantDocument, variables)).data.preview;
}

async function ofTenants(variables: PreviewTenantsQueryVariables) {
  return (await admin.call(PreviewTenantsDocument, variables)).data.preview;
}

interface Known {
  askedDaysAgo?: number;
  firstEnrolledDaysAgo?: number;
  exemptDays?: number;
  factor?: boolean;
}

/** Makes one user known to the service. */
async function know(tenantId: string | undefined, known: Known): Promise<void> {
  const { pool } = server.database;
  const inDays = (days: number | undefined) =>
    days === undefined ? null : new Date(server.clock.now().getTime() + days * 24 * 3600 * 1000);
  const id = crypto.randomUUID();
  const now = server.clock.now();
  const firstEnrolledAt = inDays(
    known.firstEnrolledDaysAgo === undefined ? undefined : -known.firstEnrolledDaysAgo,
  );
  await pool.query(
    `insert into users (tenant_id, id, enrollment_required_at, first_enrolled_at, exempt_until, created_at)
      values ($1, $2, $3, $4, $5, $6)`,
    [
      tenantId,
      id,
      inDays(known.askedDaysAgo === undefined ? undefined : -known.askedDaysAgo),
      firstEnrolledAt ?? (known.factor ? now : null),
      inDays(known.exemptDays),
      now,
    ],
  );
  if (known.factor) {
    await pool.query(
      `insert into auth_factors (tenant_id, user_id, type, id, key_id, secret, created_at, activated_at)
        values ($1, $2, 'TOTP', gen_random_uuid(), 'none', '', $3, $3)`,
      [tenantId, id, now],
    );
  }
}

const optional = (tenants = 1): Promise<World> =>
  makeWorld(server, { tenants, policy: { totpEnabled: true } });

const stored = {
  totpEnabled: true,
  recoveryCodesEnabled: false,
  enrollment: 'OPTIONAL' as const,
  gracePeriodDays: 0,
  issuer: null,
};

describe('users who would have to enroll', () => {
  test.each<[string, Known, object, 0 | 1]>([
    ['never asked, without grace: at the next sign-in', {}, {}, 1],
    ['never asked, with grace: it would only start', {}, { gracePeriodDays: 1 }, 0],
    [
      'asked long ago, when it was required before: no grace is left',
      { askedDaysAgo: 9 },
      { gracePeriodDays: 7 },
      1,
    ],
    ['asked not long ago: grace still runs', { askedDaysAgo: 5 }, { gracePeriodDays: 7 }, 0],
    ['once enrolled: has no grace', { firstEnrolledDaysAgo: 1 }, { gracePeriodDays: 7 }, 1],
    ['exempt: is excused', { exemptDays: 1 }, {}, 0],
    ['exempt until now: is not', { exemptDays: 0 }, {}, 1],
    ['enrolled: is challenged as before', { factor: true }, {}, 0],
  ])('%s', async (_name, known, policy, usersToEnroll) => {
    const { applicationId, tenantIds } = await optional();
    await know(tenantIds[0], known);
    expect(await ofApplication(applicationId, { ...required, ...policy })).toMatchObject({
      tenantsAffected: 1,
      usersToEnroll,
      usersNoLongerChallenged: 0,
    });
    expect(
      await ofTenant({ tenantId: tenantIds[0] ?? '', enabled: true, policy: { ...required, ...policy } }),
    ).toMatchObject({
      tenantsAffected: 1,
      usersToEnroll,
      usersNoLongerChallenged: 0,
    });
  });

  test('are not those who have to today already', async () => {
    const world = await makeWorld(server, { policy: { ...required, gracePeriodDays: 7 } });
    await know(world.tenantIds[0], { askedDaysAgo: 8 });
    await know(world.tenantIds[0], { askedDaysAgo: 6 });
    expect(await ofApplication(world.applicationId, { gracePeriodDays: 0 })).toMatchObject({
      usersToEnroll: 1,
    });
  });

  test('are not those who are challenged, and would be let in were TOTP switched off', async () => {
    const { applicationId, tenantIds } = await optional();
    await know(tenantIds[0], { factor: true });
    await know(tenantIds[0], {});
    expect(await ofApplication(applicationId, { totpEnabled: false })).toMatchObject({
      usersToEnroll: 0,
      usersNoLongerChallenged: 1,
    });
  });
});

describe('tenants', () => {
  test('with an override of their own are shielded, and their users left alone', async () => {
    const { applicationId, tenantIds } = await optional(3);
    await override(server, tenantIds[1] ?? '', { totpEnabled: true });
    for (const id of tenantIds) await know(id, {});
    expect(await ofApplication(applicationId, required)).toMatchObject({
      tenantsAffected: 2,
      tenantsShielded: 1,
      usersToEnroll: 2,
      before: null,
      after: null,
    });
  });

  test('with a weaker override are raised, not shielded, where only stricter ones apply', async () => {
    const world = await makeWorld(server, {
      tenants: 2,
      overrideRule: 'STRICTER_ONLY',
      policy: { totpEnabled: true },
    });
    await override(server, world.tenantIds[0] ?? '', { totpEnabled: true, gracePeriodDays: 30 });
    await override(server, world.tenantIds[1] ?? '', required);
    expect(await ofApplication(world.applicationId, { ...required, gracePeriodDays: 0 })).toMatchObject({
      tenantsAffected: 1,
      tenantsShielded: 1,
    });
  });

  test('are neither affected nor shielded where nothing would change', async () => {
    const { applicationId, tenantIds } = await optional(2);
    await override(server, tenantIds[1] ?? '', required);
    const nothing = { tenantsAffected: 0, tenantsShielded: 0, usersToEnroll: 0, usersNoLongerChallenged: 0 };
    expect(await ofApplication(applicationId, {})).toMatchObject(nothing);
    expect(
      await ofApplication(applicationId, { totpEnabled: true, issuer: ' Test application ' }),
    ).toMatchObject(nothing);
  });

  test('are affected by an issuer alone', async () => {
    const { applicationId } = await optional(2);
    expect(await ofApplication(applicationId, { issuer: 'Another' })).toMatchObject({ tenantsAffected: 2 });
  });

  test('of another application are not counted', async () => {
    const [one, other] = [await optional(), await optional()];
    await know(other.tenantIds[0], {});
    expect(await ofApplication(one.applicationId, required)).toMatchObject({
      tenantsAffected: 1,
      usersToEnroll: 0,
    });
  });
});

describe('the preview of a tenant', () => {
  test('shows what applies and what would, and leaves the tenant as it is', async () => {
    const { tenantIds } = await optional();
    const tenantId = tenantIds[0] ?? '';
    const tenant = { id: tenantId, mfaPolicyOverride: { enabled: false } };
    expect(await ofTenant({ tenantId, enabled: true, policy: { issuer: 'Own' } })).toMatchObject({
      tenantsAffected: 1,
      before: { tenant, issuer: 'Test application', source: 'APPLICATION', version: 2 },
      after: { tenant, issuer: 'Own', source: 'TENANT', version: 1 },
    });
  });

  test('of an override first switched on without values changes where the policy comes from, and nobody', async () => {
    const { tenantIds } = await makeWorld(server, { policy: required });
    await know(tenantIds[0], {});
    const preview = await ofTenant({ tenantId: tenantIds[0] ?? '', enabled: true });
    expect(preview).toMatchObject({ tenantsAffected: 1, usersToEnroll: 0, usersNoLongerChallenged: 0 });
    const { before, after } = preview as { before: object; after: object };
    expect(after).toEqual({ ...before, source: 'TENANT', version: 1 });
  });

  test('of values behind a toggle that is off changes nothing', async () => {
    const { tenantIds } = await optional();
    await know(tenantIds[0], {});
    expect(await ofTenant({ tenantId: tenantIds[0] ?? '', policy: required })).toMatchObject({
      tenantsAffected: 0,
      usersToEnroll: 0,
    });
  });

  test('of nothing at all changes nothing', async () => {
    const { tenantIds } = await optional();
    const tenantId = tenantIds[0] ?? '';
    for (const nothing of [{}, { enabled: null, policy: null }, { enabled: false }]) {
      const preview = await ofTenant({ tenantId, ...nothing });
      expect(preview).toMatchObject({ tenantsAffected: 0 });
      const { before, after } = preview as { before: object; after: object };
      expect(after).toEqual(before);
    }
  });
});

describe('a preview', () => {
  test('is refused as the write is, and names the same field', async () => {
    const { tenantIds } = await makeWorld(server, { overrideRule: 'STRICTER_ONLY', policy: required });
    const tenantId = tenantIds[0] ?? '';
    for (const policy of [
      { gracePeriodDays: 366 },
      { issuer: 'a:b' },
      { totpEnabled: false },
      { gracePeriodDays: 5 },
      { enrollment: 'OPTIONAL' as const },
    ]) {
      const [preview, { data: update }, { data: set }] = [
        await ofTenant({ tenantId, policy }),
        await admin.call(UpdateTenantMfaPolicyDocument, { input: { tenantId, policy } }),
        await admin.call(SetTenantMfaPolicyOverrideDocument, { input: { tenantId, enabled: true, policy } }),
      ];
      expect(preview).toMatchObject({
        code: expect.stringMatching(/^INVALID_/),
        field: expect.stringContaining('policy.'),
      });
      expect(update.updateTenantMfaPolicy).toEqual(preview);
      expect(set.setTenantMfaPolicyOverride).toEqual(preview);
    }
  });

  test('of what is not there is NOT_FOUND, however bad the rest of the call', async () => {
    const bad = { gracePeriodDays: -1 };
    expect(await ofApplication('absent', bad)).toMatchObject({ code: 'NOT_FOUND' });
    expect(await ofTenant({ tenantId: 'a b', policy: bad })).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('of many tenants adds up what each would be told, and names none twice', async () => {
    const { tenantIds } = await optional(3);
    await override(server, tenantIds[0] ?? '', required);
    await override(server, tenantIds[1] ?? '', required);
    await know(tenantIds[0], {});
    await know(tenantIds[1], {});
    await know(tenantIds[1], { exemptDays: 1 });
    await know(tenantIds[2], {});
    const off = await ofTenants({ tenantIds: [...tenantIds, ...tenantIds], enabled: false });
    expect(off).toMatchObject({ tenantsAffected: 2, usersToEnroll: 0, before: null, after: null });
    const all = await ofTenants({ tenantIds, enabled: true, policy: { ...required, gracePeriodDays: 0 } });
    // The first two have to already.
    expect(all).toMatchObject({ tenantsAffected: 1, tenantsShielded: 0, usersToEnroll: 1 });
  });

  test('of many tenants is refused as the write is: none, too many, of two applications, or one that is not there', async () => {
    const [one, other] = [await optional(), await optional()];
    const foreign = [...one.tenantIds, ...other.tenantIds];
    for (const variables of [
      { tenantIds: [], enabled: true },
      { tenantIds: foreign, enabled: true },
      { tenantIds: [...one.tenantIds, 'absent'], enabled: true },
      {
        tenantIds: one.tenantIds,
        enabled: true,
        policy: { totpEnabled: false, enrollment: 'REQUIRED' as const },
      },
      { tenantIds: one.tenantIds, enabled: true, policy: { gracePeriodDays: 366 } },
    ]) {
      const { data } = await admin.call(SetOverridesDocument, { input: variables });
      const preview = await ofTenants(variables);
      expect(preview).toHaveProperty('code');
      expect(preview).toEqual(data.setTenantMfaPolicyOverrides);
    }
    const tooMany = Array.from({ length: 1001 }, (_, n) => `t${n}`);
    expect(await admin.call(PreviewTenantsDocument, { tenantIds: tooMany, enabled: true })).toMatchObject({
      errors: [{ extensions: { code: 'LIMIT_EXCEEDED' } }],
    });
  });

  test('of a thousand tenants is two statements, and four of them may be asked for in one request', async () => {
    const tenant = { enabled: false, values: null, users: [] };
    const population = { rule: 'ANY' as const, policy: stored, tenants: Array(1000).fill(tenant) };
    const { tenantIds } = await store(server.database.pool, population, server.clock.now());
    await know(tenantIds[999], {});
    const variables = { tenantIds, enabled: true, policy: required };
    const statements = await statementsOf(async () =>
      expect(await ofTenants(variables)).toMatchObject({ tenantsAffected: 1000, usersToEnroll: 1 }),
    );
    expect(statements).toHaveLength(2);
    const previews = (count: number) =>
      `{ ${Array.from({ length: count }, (_, n) => `p${n}: previewTenantMfaPolicyOverrides(tenantIds: "none", enabled: true) { __typename }`).join(' ')} }`;
    expect((await admin.call(previews(4))).errors).toEqual([]);
    expect(await admin.call(previews(5))).toMatchObject({
      errors: [{ extensions: { code: 'LIMIT_EXCEEDED' } }],
    });
  });

  test('writes nothing', async () => {
    const { applicationId, tenantIds } = await optional(2);
    await know(tenantIds[0], {});
    const stored = async () => {
      const read = async (table: string, column: string) =>
        (
          await server.database.pool.query(`select * from ${table} where ${column} like $1 order by 1, 2`, [
            `${applicationId}%`,
          ])
        ).rows;
      return [
        await read('applications', 'id'),
        await read('tenants', 'id'),
        await read('users', 'tenant_id'),
        await read('audit_events', 'application_id'),
      ];
    };
    const before = await stored();
    await ofApplication(applicationId, required);
    await ofTenant({ tenantId: tenantIds[0] ?? '', enabled: true, policy: required });
    await ofTenants({ tenantIds, enabled: true, policy: required });
    expect(await stored()).toEqual(before);
  });

  test('of an application or a tenant is one statement beside the one that reads it', async () => {
    const { applicationId, tenantIds } = await optional(2);
    expect(await statementsOf(() => ofApplication(applicationId, required))).toHaveLength(2);
    expect(
      await statementsOf(() => ofTenant({ tenantId: tenantIds[0] ?? '', enabled: true, policy: required })),
    ).toHaveLength(2);
  });
});
