import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  ApplicationStatsDocument,
  type StatsFieldsFragment,
  StatsOfTenantsDocument,
  UsersByStateDocument,
} from '../generated/documents.ts';
import { startTestServer, type TestCaller, type TestServer } from '../setup/harness.ts';
import { anyPopulation, store } from '../setup/population.ts';
import { type JudgedUser, judgedUsers } from '../setup/subjects.ts';
import { makeWorld } from '../setup/world.ts';
import { makeManyTenants } from '../tenancy/many.ts';
import { statementsOf } from '../tenancy/statements.ts';

let server: TestServer;
let admin: TestCaller;
beforeAll(async () => {
  server = await startTestServer();
  server.clock.fix(new Date());
  admin = await server.caller();
});
afterAll(() => server.stop());

const states = ['ENROLLED', 'OPTIONAL', 'PENDING', 'OVERDUE', 'EXEMPT', 'DISABLED'] as const;

const none: StatsFieldsFragment = {
  users: 0,
  enrolled: 0,
  optional: 0,
  pending: 0,
  overdue: 0,
  exempt: 0,
  disabled: 0,
};

/** Statistics, counted one by one. */
function counted(users: readonly JudgedUser[]): StatsFieldsFragment {
  const of = (state: JudgedUser['state']) => users.filter((user) => user.state === state).length;
  return {
    users: users.length,
    enrolled: of('ENROLLED'),
    optional: of('OPTIONAL'),
    pending: of('PENDING'),
    overdue: of('OVERDUE'),
    exempt: of('EXEMPT'),
    disabled: of('DISABLED'),
  };
}

describe('statistics', () => {
  test('agree with the state of every user, and with the lists by state, in hundreds of random populations', async () => {
    const met = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(anyPopulation, async (population) => {
        const { applicationId, tenantIds } = await store(
          server.database.pool,
          population,
          server.clock.now(),
        );
        const users = await judgedUsers(server.database, applicationId, server.clock.now());
        const ofTenant = tenantIds.map((id) => users.filter(({ tenantId }) => tenantId === id));
        const [application, tenants, lists] = await Promise.all([
          admin.call(ApplicationStatsDocument, { id: applicationId }),
          admin.call(StatsOfTenantsDocument, { ids: tenantIds }),
          admin.call(UsersByStateDocument, { ids: tenantIds }),
        ]);
        expect(application.data.application?.mfaStats).toEqual(counted(users));
        expect(tenants.data.tenants.map((tenant) => tenant?.mfaStats)).toEqual(ofTenant.map(counted));
        expect(lists.data.tenants).toEqual(
          ofTenant.map((own) => ({
            all: { totalCount: own.length },
            ...Object.fromEntries(
              states.map((state) => [
                state,
                { totalCount: own.filter((user) => user.state === state).length },
              ]),
            ),
          })),
        );
        for (const { state } of users) met.set(state, (met.get(state) ?? 0) + 1);
      }),
      { numRuns: 200 },
    );
    expect([...met.keys()].sort()).toEqual([...states].sort());
    expect(Math.min(...met.values())).toBeGreaterThan(20);
  }, 120_000);

  test('of whom nobody is known are nothing but zeros', async () => {
    const { applicationId, tenantIds } = await makeWorld(server);
    const application = await admin.call(ApplicationStatsDocument, { id: applicationId });
    expect(application.data.application).toEqual({ mfaStats: none });
    const tenants = await admin.call(StatsOfTenantsDocument, { ids: tenantIds });
    expect(tenants.data.tenants).toEqual([{ id: tenantIds[0], mfaStats: none }]);
  });

  test.each([1, 50, 200])('of %i tenants are one statement beside the one that reads them', async (size) => {
    const { tenantIds } = await makeManyTenants(server, { tenants: size });
    const statements = await statementsOf(async () => {
      const { data } = await admin.call(StatsOfTenantsDocument, { ids: tenantIds });
      expect(data.tenants).toHaveLength(size);
    });
    expect(statements).toHaveLength(2);
  });

  test('of applications and of all their tenants are one statement each', async () => {
    const displayName = `stats ${crypto.randomUUID()}`;
    for (let n = 0; n < 5; n += 1) await makeManyTenants(server, { tenants: 10, displayName });
    const statements = await statementsOf(async () => {
      const { data, errors } = await admin.call<{ applications: { nodes: unknown[] } }, object>(
        `query ($search: String) { applications(search: $search) { nodes {
          mfaStats { users } tenants(first: 10) { nodes { mfaStats { users } } } } } }`,
        { search: displayName },
      );
      expect(errors).toEqual([]);
      expect(data.applications.nodes).toHaveLength(5);
    });
    // A page of applications, the pages of their tenants, and the statistics of either.
    expect(statements).toHaveLength(4);
  });

  test('are told anew after a change in the same request', async () => {
    const { applicationId, tenantIds } = await makeWorld(server, { policy: { totpEnabled: true } });
    await server.database.pool.query("insert into users (tenant_id, id, created_at) values ($1, 'one', $2)", [
      tenantIds[0],
      server.clock.now(),
    ]);
    const step = (name: string, policy: string) => `${name}: updateApplicationMfaPolicy(input: {
      applicationId: "${applicationId}", policy: ${policy} }) {
        ... on ApplicationPayload { application { mfaStats { optional overdue disabled } } } }`;
    const { data } = await admin.call<Record<string, unknown>, object>(
      `mutation { ${step('required', '{ enrollment: REQUIRED }')} ${step('off', '{ totpEnabled: false, enrollment: OPTIONAL }')} }`,
    );
    expect(data).toEqual({
      required: { application: { mfaStats: { optional: 0, overdue: 1, disabled: 0 } } },
      off: { application: { mfaStats: { optional: 0, overdue: 0, disabled: 1 } } },
    });
  });

  test('of more applications and tenants than a request may ask for are refused before anything is counted', async () => {
    const statements = await statementsOf(async () => {
      const { status, errors } = await admin.call<unknown, object>(
        `{ applications(first: 100) { nodes { tenants(first: 100) { nodes { mfaStats { users enrolled } } } } } }`,
      );
      expect([status, errors[0]?.extensions?.['code']]).toEqual([400, 'LIMIT_EXCEEDED']);
    });
    expect(statements).toEqual([]);
  });
});
