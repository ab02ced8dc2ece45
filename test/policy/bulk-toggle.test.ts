import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { lineUp } from '../factor/lock.ts';
import {
  DeleteApplicationDocument,
  SetOverridesDocument,
  type SetOverridesMutationVariables,
  SetTenantMfaPolicyOverrideDocument,
} from '../generated/documents.ts';
import { startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { makeWorld, override, type World } from '../setup/world.ts';
import { statementsOf } from '../tenancy/statements.ts';

let server: TestServer;
let admin: TestCaller;
beforeAll(async () => {
  server = await startTestServer();
  admin = await server.caller({ sub: 'alice' });
});
afterAll(() => server.stop());

type Input = SetOverridesMutationVariables['input'];

async function setOverrides(input: Input, caller = admin) {
  const { data, errors } = await caller.call(SetOverridesDocument, { input });
  if (data === null) throw new Error(JSON.stringify(errors));
  return data.setTenantMfaPolicyOverrides;
}

/** An application with many tenants, of which none has an override yet; their rows and names lie the other way round than their ids. */
async function manyTenants(count: number): Promise<World> {
  const { applicationId } = await makeWorld(server, { tenants: 0, policy: { totpEnabled: true } });
  const tenantIds = Array.from({ length: count }, (_, n) => `${applicationId}.${String(n).padStart(4, '0')}`);
  await server.database.pool.query(
    `insert into tenants (id, application_id, display_name, name_key, created_at)
     select id, $2, id, lpad((9999 - n)::text, 4, '0'), now() from unnest($1::text[]) with ordinality as t(id, n)
     order by n desc`,
    [tenantIds, applicationId],
  );
  return { applicationId, tenantIds };
}

/** Everything stored of an application's tenants, and how much is recorded of them. */
async function stored({ applicationId }: Pick<World, 'applicationId'>) {
  const { rows } = await server.database.pool.query(
    'select * from tenants where application_id = $1 order by id',
    [applicationId],
  );
  const events = await eventsOf({ applicationId });
  return { rows, events: events.length };
}

async function eventsOf({ applicationId }: Pick<World, 'applicationId'>) {
  const { rows } = await server.database.pool.query<{
    tenant_id: string;
    action: string;
    actor: string;
    detail: Record<string, unknown>;
  }>(
    `select tenant_id, action, actor, detail from audit_events
     where application_id = $1 and starts_with(action, 'mfa_policy_override.') order by tenant_id, at, id`,
    [applicationId],
  );
  return rows;
}

describe('the bulk toggle', () => {
  test('switches the override of every tenant, first by a copy of the policy, and answers in the order asked', async () => {
    const world = await makeWorld(server, { tenants: 3, policy: { totpEnabled: true, gracePeriodDays: 5 } });
    const tenantIds = world.tenantIds.toReversed();
    const on = await setOverrides({ tenantIds, enabled: true });
    expect(on).toMatchObject({
      tenants: tenantIds.map((id) => ({
        id,
        mfaPolicyOverride: {
          enabled: true,
          policy: { totpEnabled: true, enrollment: 'OPTIONAL', gracePeriodDays: 5, version: 1 },
        },
      })),
    });
    const off = await setOverrides({ tenantIds, enabled: false, policy: { issuer: 'Own' } });
    expect(off).toMatchObject({
      tenants: tenantIds.map((id) => ({
        id,
        mfaPolicyOverride: { enabled: false, policy: { issuer: 'Own', gracePeriodDays: 5, version: 2 } },
      })),
    });
  });

  test('records one event for each tenant that changed, with all that changed, and none for the others', async () => {
    const world = await makeWorld(server, { tenants: 4, policy: { totpEnabled: true } });
    const [first, second, third, fourth] = world.tenantIds as [string, string, string, string];
    await override(server, second, { issuer: 'Own' });
    await override(server, third, { gracePeriodDays: 9 });
    const before = (await eventsOf(world)).length;
    await setOverrides({ tenantIds: world.tenantIds, enabled: true, policy: { issuer: 'Own' } });
    await setOverrides({ tenantIds: world.tenantIds, enabled: true, policy: { issuer: 'Own' } });
    const events = (await eventsOf(world)).filter(({ actor }) => actor === 'alice');
    expect(await eventsOf(world)).toHaveLength(before + 3);
    const firstTime = { totpEnabled: [null, true], issuer: [null, 'Own'], version: [0, 1] };
    expect(events).toMatchObject([
      { tenant_id: first, action: 'mfa_policy_override.enabled', detail: firstTime },
      {
        tenant_id: third,
        action: 'mfa_policy_override.updated',
        detail: { issuer: [null, 'Own'], version: [1, 2] },
      },
      { tenant_id: fourth, action: 'mfa_policy_override.enabled', detail: firstTime },
    ]);
  });

  test('answers a tenant that is named twice once, and changes it once', async () => {
    const { tenantIds } = await makeWorld(server, { tenants: 2 });
    const [first, second] = tenantIds as [string, string];
    expect(await setOverrides({ tenantIds: [second, first, second], enabled: true })).toMatchObject({
      tenants: [{ id: second, mfaPolicyOverride: { policy: { version: 1 } } }, { id: first }],
    });
  });

  test('does for each tenant what the toggle of one does', async () => {
    const policy = fc.record(
      {
        totpEnabled: fc.boolean(),
        recoveryCodesEnabled: fc.boolean(),
        enrollment: fc.constantFrom('OPTIONAL' as const, 'REQUIRED' as const),
        gracePeriodDays: fc.constantFrom(0, 5, 9),
        issuer: fc.constantFrom('Own', null),
      },
      { requiredKeys: [] },
    );
    const write = fc.record({ enabled: fc.boolean(), policy: fc.option(policy, { nil: undefined }) });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('ANY' as const, 'STRICTER_ONLY' as const, 'NONE' as const),
        fc.array(write, { minLength: 1, maxLength: 5 }),
        async (overrideRule, writes) => {
          const { tenantIds } = await makeWorld(server, {
            tenants: 2,
            overrideRule,
            policy: { totpEnabled: true, enrollment: 'REQUIRED', gracePeriodDays: 7 },
          });
          const [single, bulk] = tenantIds as [string, string];
          for (const given of writes) {
            const { data } = await admin.call(SetTenantMfaPolicyOverrideDocument, {
              input: { tenantId: single, ...given },
            });
            const one = data.setTenantMfaPolicyOverride;
            const many = await setOverrides({ tenantIds: [bulk], ...given });
            if (many.__typename !== 'TenantsPayload') {
              expect([many.code, 'field' in many && many.field]).toEqual([
                'code' in one && one.code,
                'field' in one && one.field,
              ]);
              continue;
            }
            const after = one.__typename === 'TenantPayload' ? one.tenant.mfaPolicyOverride : one;
            const [tenant] = many.tenants;
            const at = { updatedAt: expect.any(String) };
            expect(tenant?.mfaPolicyOverride).toEqual(
              'policy' in after && after.policy ? { ...after, policy: { ...after.policy, ...at } } : after,
            );
          }
        },
      ),
      { numRuns: 12 },
    );
  }, 60_000);
});

describe('the bulk toggle writes nothing', () => {
  test.each<[string, (world: World) => Promise<Input> | Input, object]>([
    [
      'where a tenant is missing',
      ({ tenantIds }) => ({ tenantIds: [...tenantIds, uniqueId('absent')], enabled: true }),
      { code: 'NOT_FOUND' },
    ],
    [
      'where an id can be none',
      ({ tenantIds }) => ({ tenantIds: [...tenantIds, 'a\u0000b', ''], enabled: true }),
      { code: 'NOT_FOUND' },
    ],
    [
      'for tenants of two applications',
      async ({ tenantIds }) => ({
        tenantIds: [...tenantIds, ...(await makeWorld(server)).tenantIds],
        enabled: true,
      }),
      { code: 'INVALID_INPUT', field: 'tenantIds' },
    ],
    [
      'for no tenant',
      () => ({ tenantIds: [], enabled: true }),
      { code: 'INVALID_INPUT', field: 'tenantIds' },
    ],
    [
      'where values are out of bounds',
      ({ tenantIds }) => ({ tenantIds, enabled: true, policy: { gracePeriodDays: 366 } }),
      { code: 'INVALID_INPUT', field: 'policy.gracePeriodDays' },
    ],
    [
      "where one tenant's policy would contradict itself",
      async ({ tenantIds }) => {
        await override(server, tenantIds[2] as string, { enrollment: 'REQUIRED' });
        return { tenantIds, enabled: true, policy: { totpEnabled: false, recoveryCodesEnabled: false } };
      },
      { code: 'INVALID_POLICY', field: 'policy.enrollment', message: expect.stringContaining('.t3;') },
    ],
  ])('%s', async (_name, inputOf, refusal) => {
    const world = await makeWorld(server, { tenants: 3, policy: { totpEnabled: true } });
    const input = await inputOf(world);
    const before = await stored(world);
    expect(await setOverrides(input)).toMatchObject(refusal);
    expect(await stored(world)).toEqual(before);
  });

  test('where one tenant would be weaker than STRICTER_ONLY allows', async () => {
    const world = await makeWorld(server, {
      tenants: 3,
      overrideRule: 'STRICTER_ONLY',
      policy: { totpEnabled: true, enrollment: 'REQUIRED', gracePeriodDays: 7 },
    });
    const before = await stored(world);
    expect(
      await setOverrides({ tenantIds: world.tenantIds, enabled: true, policy: { gracePeriodDays: 8 } }),
    ).toMatchObject({ code: 'INVALID_POLICY', field: 'policy.gracePeriodDays' });
    expect(await stored(world)).toEqual(before);
  });

  test('TEN-1: where one tenant is out of reach, whatever the others are, and tells it from none by nothing', async () => {
    const [own, foreign] = [await makeWorld(server, { tenants: 2 }), await makeWorld(server)];
    const [mine, sibling] = own.tenantIds as [string, string];
    const scopes = ['mfa-policy:write'] as const;
    const { applicationId } = own;
    const callers: [TestCaller, string][] = [
      [await server.caller({ applicationId, scopes }), foreign.tenantIds[0] as string],
      [await server.caller({ applicationId, tenantId: mine, scopes }), sibling],
      [await server.caller({ applicationId, tenantId: mine, scopes }), foreign.tenantIds[0] as string],
    ];
    const before = [await stored(own), await stored(foreign)];
    for (const [caller, beyond] of callers) {
      const refused = await setOverrides({ tenantIds: [mine, beyond], enabled: true }, caller);
      expect(refused).toEqual(
        await setOverrides({ tenantIds: [mine, uniqueId('absent')], enabled: true }, caller),
      );
      expect(refused).toMatchObject({ code: 'NOT_FOUND' });
    }
    expect([await stored(own), await stored(foreign)]).toEqual(before);
  });
});

describe('a thousand tenants', () => {
  test('are switched, and answered with id and override, in one call', async () => {
    const world = await manyTenants(1_000);
    const on = await setOverrides({ tenantIds: world.tenantIds, enabled: true });
    if (on.__typename !== 'TenantsPayload') throw new Error(JSON.stringify(on));
    expect(on.tenants.map(({ id }) => id)).toEqual(world.tenantIds);
    expect(on.tenants.every(({ mfaPolicyOverride }) => mfaPolicyOverride.enabled)).toBe(true);
    const events = await eventsOf(world);
    expect(events.map(({ tenant_id }) => tenant_id)).toEqual(world.tenantIds);
    expect(new Set(events.map(({ action }) => action))).toEqual(new Set(['mfa_policy_override.enabled']));
  });

  test('take the same statements as two', async () => {
    const statementsFor = async (count: number) => {
      const { tenantIds } = await manyTenants(count);
      const statements = [];
      for (const policy of [{ issuer: 'Own' }, { issuer: 'Other' }, { issuer: 'Other' }]) {
        const made = await statementsOf(() => setOverrides({ tenantIds, enabled: true, policy }));
        statements.push(made.length);
      }
      return statements;
    };
    const few = await statementsFor(2);
    expect(few).toEqual([7, 7, 4]);
    expect(await statementsFor(1_000)).toEqual(few);
  });

  test('GQL-1: and one are refused', async () => {
    const tenantIds = Array.from({ length: 1_001 }, (_, n) => `t${n}`);
    const { status, errors } = await admin.call(SetOverridesDocument, {
      input: { tenantIds, enabled: true },
    });
    expect([status, errors[0]?.extensions?.['code'], errors[0]?.message]).toEqual([
      400,
      'LIMIT_EXCEEDED',
      'A list has 1001 entries; the limit is 1000. Split the call.',
    ]);
  });
});

describe('bulk toggles that overlap', () => {
  test('take turns: each is done whole, none fails, and versions count them', async () => {
    const world = await manyTenants(60);
    const { tenantIds } = world;
    const shuffled = (n: number) => tenantIds.toSorted((a, b) => (a < b ? 1 : -1) * (n % 2 === 0 ? 1 : -1));
    const rounds = 6;
    const parallel = 8;
    for (let round = 0; round < rounds; round += 1) {
      const answers = await Promise.all(
        Array.from({ length: parallel }, (_, n) =>
          setOverrides({
            tenantIds: shuffled(n),
            enabled: true,
            policy: { issuer: `${round}.${n}` },
          }),
        ),
      );
      expect(answers.map(({ __typename }) => __typename)).toEqual(Array(parallel).fill('TenantsPayload'));
      const { rows } = await stored(world);
      expect(new Set(rows.map(({ issuer }) => issuer)).size).toBe(1);
      expect(new Set(rows.map(({ policy_version }) => policy_version))).toEqual(
        new Set([(round + 1) * parallel]),
      );
    }
    expect(await eventsOf(world)).toHaveLength(rounds * parallel * tenantIds.length);
  }, 60_000);

  test('with the deletion of their application take turns too, whoever came first', async () => {
    const both = async (deletionFirst: boolean) => {
      const { applicationId, tenantIds } = await manyTenants(40);
      // Both want this row; by then each has locked what comes before it in its own order.
      const middle = {
        text: 'select from tenants where id = $1 for update',
        values: [tenantIds[20]],
      };
      const bulk = async () => (await setOverrides({ tenantIds, enabled: true })).__typename;
      const deletion = async () => {
        const { data, errors } = await admin.call(DeleteApplicationDocument, {
          input: { id: applicationId },
        });
        return data?.deleteApplication.__typename ?? JSON.stringify(errors);
      };
      return deletionFirst ? lineUp(middle, deletion, bulk) : lineUp(middle, bulk, deletion);
    };
    expect(await both(false)).toEqual(['TenantsPayload', 'DeletedPayload']);
    expect(await both(true)).toEqual(['DeletedPayload', 'NotFound']);
  });
});
