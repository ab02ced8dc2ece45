import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  PoliciesOfTenantsDocument,
  type PoliciesOfTenantsQuery,
  PreviewApplicationDocument,
  type PreviewApplicationQuery,
  PreviewTenantDocument,
  PreviewTenantsDocument,
  SetOverridesDocument,
  SetTenantMfaPolicyOverrideDocument,
  UpdateApplicationMfaPolicyDocument,
  UpdateTenantMfaPolicyDocument,
} from '../generated/documents.ts';
import { startTestServer, type TestCaller, type TestServer } from '../setup/harness.ts';
import {
  anyPolicy,
  anyPopulation,
  type Population,
  type StoredPopulation,
  store,
} from '../setup/population.ts';
import { type JudgedUser, judgedUsers } from '../setup/subjects.ts';

/*
 * A preview against what really happens: every user is judged by the rules of a sign-in before the
 * change, the change is made, and every user is judged again.
 */

const populations = 200;

let server: TestServer;
let admin: TestCaller;
beforeAll(async () => {
  server = await startTestServer();
  server.clock.fix(new Date());
  admin = await server.caller();
});
afterAll(() => server.stop());

type Preview = PreviewApplicationQuery['preview'];
type Policy = NonNullable<PoliciesOfTenantsQuery['tenants'][number]>['effectivePolicy'];

/** All that a change can be seen by: what applies to the tenants, and what each user would be answered. */
interface Reading {
  policies: Policy[];
  users: JudgedUser[];
}

async function read({ applicationId, tenantIds }: StoredPopulation): Promise<Reading> {
  const { data } = await admin.call(PoliciesOfTenantsDocument, { ids: tenantIds });
  const policies = data.tenants.map((tenant) => {
    if (tenant === null) throw new Error('A tenant is gone.');
    return tenant.effectivePolicy;
  });
  return { policies, users: await judgedUsers(server.database, applicationId, server.clock.now()) };
}

/** The counts of a preview, by comparison. */
function observed(before: Reading, after: Reading) {
  const users = before.users.map((was, n) => ({ was: was.status, is: after.users[n]?.status }));
  return {
    tenantsAffected: affected(before, after).filter(Boolean).length,
    usersToEnroll: users.filter(({ was, is }) => was === 'AUTHENTICATED' && is === 'MFA_ENROLLMENT_REQUIRED')
      .length,
    usersNoLongerChallenged: users.filter(
      ({ was, is }) => was === 'MFA_CHALLENGE_REQUIRED' && is !== 'MFA_CHALLENGE_REQUIRED',
    ).length,
  };
}

const affected = (before: Reading, after: Reading): boolean[] =>
  before.policies.map((policy, n) => told(policy) !== told(after.policies[n]));

/** A policy as it is compared: a new version of the same is no other one. */
const told = (policy: Policy | undefined): string =>
  JSON.stringify({ ...policy, tenant: null, version: null });

/** Refusals are the write's own, in every word. */
const refusalOf = (result: object): object | null => ('code' in result ? result : null);

const partly = fc.record(
  {
    totpEnabled: fc.option(fc.boolean()),
    recoveryCodesEnabled: fc.option(fc.boolean()),
    enrollment: fc.option(fc.constantFrom('OPTIONAL' as const, 'REQUIRED' as const)),
    gracePeriodDays: fc.option(fc.constantFrom(0, 1, 7, 30, 365, 366)),
    issuer: fc.constantFrom(null, ' ', 'One', 'Two', 'The App', 'a:b'),
  },
  { requiredKeys: [] },
);
const anyChange = fc.oneof({ weight: 3, arbitrary: anyPolicy }, { weight: 3, arbitrary: partly });
/** An application's tenant that nothing shields. */
const unshielded = { enabled: false, values: null, users: [] };
const anyCase = fc.record({
  population: anyPopulation.map(({ tenants, ...rest }) => ({ ...rest, tenants: [...tenants, unshielded] })),
  change: anyChange,
  override: fc.record({
    enabled: fc.constantFrom(null, true, true, false),
    policy: fc.option(anyChange, { freq: 9 }),
  }),
  bulk: fc.record({ enabled: fc.boolean(), policy: fc.option(anyChange) }),
});

/** Which tenant has the most to tell. */
const mostUsers = ({ tenants }: Population): number =>
  tenants.reduce((most, { users }, n) => (users.length > (tenants[most]?.users.length ?? 0) ? n : most), 0);

type Change = typeof anyChange extends fc.Arbitrary<infer Value> ? Value : never;
type Override = { enabled: boolean | null; policy: Change | null };

async function changeApplication(place: StoredPopulation, policy: object): Promise<object> {
  const input = { applicationId: place.applicationId, policy };
  const { data } = await admin.call(UpdateApplicationMfaPolicyDocument, { input });
  return data.updateApplicationMfaPolicy;
}

/** As the preview says it: the toggle's mutation where a toggle is given, else the one of the values. */
async function changeOverride(tenantId: string, { enabled, policy }: Override): Promise<object> {
  if (enabled !== null) {
    const input = { tenantId, enabled, policy };
    return (await admin.call(SetTenantMfaPolicyOverrideDocument, { input })).data.setTenantMfaPolicyOverride;
  }
  if (policy === null) return {};
  const input = { tenantId, policy };
  return (await admin.call(UpdateTenantMfaPolicyDocument, { input })).data.updateTenantMfaPolicy;
}

async function changeOverrides(
  tenantIds: string[],
  bulk: { enabled: boolean; policy: Change | null },
): Promise<object> {
  const { data } = await admin.call(SetOverridesDocument, { input: { tenantIds, ...bulk } });
  return data.setTenantMfaPolicyOverrides;
}

describe('a preview tells what happens', () => {
  test('when the policy of an application is changed, then an override, and then all of them, in hundreds of random populations', async () => {
    const met = {
      toEnroll: 0,
      noLongerChallenged: 0,
      affected: 0,
      shielded: 0,
      refused: 0,
      ofTenant: 0,
      ofAll: 0,
    };
    const meet = (preview: Preview) => {
      if (preview.__typename !== 'PolicyChangePreview') {
        met.refused += 1;
        return;
      }
      met.toEnroll += preview.usersToEnroll;
      met.noLongerChallenged += preview.usersNoLongerChallenged;
      met.affected += preview.tenantsAffected;
      met.shielded += preview.tenantsShielded;
      if (preview.before && preview.usersToEnroll + preview.usersNoLongerChallenged > 0) met.ofTenant += 1;
    };

    await fc.assert(
      fc.asyncProperty(anyCase, async ({ population, change, override, bulk }) => {
        const place = await store(server.database.pool, population, server.clock.now());
        const most = mostUsers(population);
        const tenantId = place.tenantIds[most] ?? '';

        const first = await read(place);
        const { data } = await admin.call(PreviewApplicationDocument, {
          applicationId: place.applicationId,
          policy: change,
        });
        expect(refusalOf(data.preview)).toEqual(refusalOf(await changeApplication(place, change)));
        const second = await read(place);
        meet(data.preview);
        const isAffected = affected(first, second);
        const shielded = first.policies.filter(({ source }, n) => source === 'TENANT' && !isAffected[n]);
        if (data.preview.__typename === 'PolicyChangePreview') {
          expect(data.preview).toEqual({
            __typename: 'PolicyChangePreview',
            ...observed(first, second),
            tenantsShielded: isAffected.at(-1) ? shielded.length : 0,
            before: null,
            after: null,
          });
        } else {
          expect(second).toEqual(first);
        }

        const { data: ofTenant } = await admin.call(PreviewTenantDocument, { tenantId, ...override });
        expect(refusalOf(ofTenant.preview)).toEqual(refusalOf(await changeOverride(tenantId, override)));
        const third = await read(place);
        meet(ofTenant.preview);
        if (ofTenant.preview.__typename === 'PolicyChangePreview') {
          expect(ofTenant.preview).toEqual({
            __typename: 'PolicyChangePreview',
            ...observed(second, third),
            tenantsShielded: 0,
            before: second.policies[most],
            // The tenant is the one that is there, not the one that would be.
            after: { ...third.policies[most], tenant: second.policies[most]?.tenant },
          });
        } else {
          expect(third).toEqual(second);
        }

        const { data: ofAll } = await admin.call(PreviewTenantsDocument, {
          tenantIds: place.tenantIds,
          ...bulk,
        });
        expect(refusalOf(ofAll.preview)).toEqual(refusalOf(await changeOverrides(place.tenantIds, bulk)));
        const fourth = await read(place);
        if (ofAll.preview.__typename === 'PolicyChangePreview') {
          const { usersToEnroll, usersNoLongerChallenged } = ofAll.preview;
          if (usersToEnroll + usersNoLongerChallenged > 0) met.ofAll += 1;
          expect(ofAll.preview).toEqual({
            __typename: 'PolicyChangePreview',
            ...observed(third, fourth),
            tenantsShielded: 0,
            before: null,
            after: null,
          });
        } else {
          expect(fourth).toEqual(third);
        }
      }),
      { numRuns: populations },
    );
    // Whatever can be counted was there to be counted: the rarest some 15 times on average.
    expect(Math.min(...Object.values(met))).toBeGreaterThan(0);
  }, 240_000);
});
