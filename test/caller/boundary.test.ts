import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ReachDocument } from '../generated/documents.ts';
import { callGraphQl, startTestServer } from '../setup/harness.ts';
import { makeWorld, type World } from '../setup/world.ts';
import { type BearerServer, expectUnauthenticated, startBearerServer } from './bearer-server.ts';

/* JWT-3: how far a caller reaches is what its claims say, and never more. */

let issuer: BearerServer;
let own: World;
let other: World;
beforeAll(async () => {
  issuer = await startBearerServer();
  const plain = await startTestServer();
  own = await makeWorld(plain, { tenants: 2 });
  other = await makeWorld(plain, { tenants: 1 });
  await plain.stop();
});
afterAll(() => issuer.server.stop());

interface Claims {
  application_id?: unknown;
  tenant_id?: unknown;
}

/** What a token reaches of the five things of this test; null: it is refused. */
async function reach(claims: Claims) {
  const answer = await callGraphQl(issuer.server.url, issuer.tokenWith({ ...claims }), ReachDocument, {
    tenantIds: [...own.tenantIds, ...other.tenantIds],
  });
  if (answer.status === 401) {
    expectUnauthenticated(answer);
    return null;
  }
  expect(answer.errors).toEqual([]);
  const { viewer, tenants } = answer.data;
  return {
    application: viewer.application?.id ?? null,
    tenant: viewer.tenant?.id ?? null,
    tenants: tenants.flatMap((tenant) => tenant?.id ?? []),
  };
}

test('JWT-3: no claim reaches the installation, an application its tenants, a tenant itself', async () => {
  const [first = '', second = ''] = own.tenantIds;
  const { applicationId } = own;
  expect(await reach({})).toEqual({
    application: null,
    tenant: null,
    tenants: [first, second, ...other.tenantIds],
  });
  expect(await reach({ application_id: applicationId })).toEqual({
    application: applicationId,
    tenant: null,
    tenants: [first, second],
  });
  expect(await reach({ application_id: applicationId, tenant_id: second })).toEqual({
    application: applicationId,
    tenant: second,
    tenants: [second],
  });
});

test('JWT-3: a tenant of another application, or what does not exist, reaches nothing', async () => {
  const nothing = { tenant: null, tenants: [] };
  const [foreign] = other.tenantIds;
  expect(await reach({ application_id: own.applicationId, tenant_id: foreign })).toMatchObject(nothing);
  expect(await reach({ application_id: 'absent' })).toMatchObject({ application: null, ...nothing });
  expect(await reach({ application_id: own.applicationId, tenant_id: 'absent' })).toMatchObject(nothing);
});

const unusable = [
  ['empty', ''],
  ['a blank', ' '],
  ['a tab', '\t'],
  ['a no-break space', '\u00a0'],
  ['a null character', '\u0000'],
  ['half a character', '\ud800'],
  ['null', null],
  ['a number', 1],
  ['zero', 0],
  ['true', true],
  ['false', false],
  ['an empty list', []],
  ['a list', ['x']],
  ['an empty object', {}],
  ['an object', { id: 'x' }],
] as const;

test.each(unusable)(
  'JWT-3: an application that is %s is refused, with or without a tenant',
  async (_name, value) => {
    expect(await reach({ application_id: value })).toBeNull();
    expect(await reach({ application_id: value, tenant_id: own.tenantIds[0] })).toBeNull();
  },
);

test.each(unusable)(
  'JWT-3: a tenant that is %s is refused, with or without an application',
  async (_name, value) => {
    expect(await reach({ application_id: own.applicationId, tenant_id: value })).toBeNull();
    expect(await reach({ tenant_id: value })).toBeNull();
  },
);

test('JWT-3: a tenant without an application is refused', async () => {
  expect(await reach({ tenant_id: own.tenantIds[0] })).toBeNull();
});

test('JWT-3: whatever the claims, the boundary is never wider than they say', async () => {
  const names = fc.constantFrom('own', 'other');
  const claim = fc.oneof(
    { weight: 2, arbitrary: fc.constant({}) },
    { weight: 4, arbitrary: names.map((of) => ({ of })) },
    { weight: 3, arbitrary: fc.jsonValue().map((value) => ({ value })) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }).map((value) => ({ value })) },
  );
  await fc.assert(
    fc.asyncProperty(claim, claim, async (application, tenant) => {
      const claims: Claims = {};
      if ('of' in application) claims.application_id = worldOf(application.of).applicationId;
      if ('value' in application) claims.application_id = application.value;
      if ('of' in tenant) claims.tenant_id = worldOf(tenant.of).tenantIds[0];
      if ('value' in tenant) claims.tenant_id = tenant.value;
      const reached = await reach(claims);
      if (reached === null) {
        // Refusing everything would be narrow enough, too: what is well-formed is taken.
        expect('of' in application && ('of' in tenant || !('value' in tenant))).toBe(false);
        expect('application_id' in claims || 'tenant_id' in claims).toBe(true);
        return;
      }
      for (const [world, application] of [own, other].map((world) => [world, world.applicationId] as const)) {
        for (const id of world.tenantIds) {
          const mayReach =
            (!('application_id' in claims) && !('tenant_id' in claims)) ||
            (claims.application_id === application && (!('tenant_id' in claims) || claims.tenant_id === id));
          expect(reached.tenants.includes(id)).toBe(mayReach);
        }
      }
    }),
    { numRuns: 300 },
  );
});

const worldOf = (name: string): World => (name === 'own' ? own : other);
