import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { KnownUserDocument, MyselfDocument } from '../generated/documents.ts';
import { startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { at, setPolicy } from '../signin/step-tools.ts';
import { signInWorld, start } from '../signin/user-agent.ts';
import { asked, codesOf, enrolled, makePeople, neverSeen, type People } from './people.ts';

/* A user by tenant and id, by id alone, and as the viewer itself. */

let server: TestServer;
let people: People;
let { world, foreign, first, second, ann, twin, stray } = {} as People;
beforeAll(async () => {
  server = await startTestServer();
  people = await makePeople(server);
  ({ world, foreign, first, second, ann, twin, stray } = people);
});
afterAll(() => server.stop());

async function userOf(caller: TestCaller, id: string, tenantId?: string | null) {
  const { data, errors } = await caller.call(KnownUserDocument, { id, tenantId });
  expect(errors).toEqual([]);
  return data.user;
}

describe('user', () => {
  test('by tenant and id is the user of that tenant', async () => {
    for (const caller of [people.ofInstallation, people.ofApplication, people.ofFirst]) {
      expect(await userOf(caller, ann, first)).toEqual(enrolled(ann, first));
    }
    const caller = people.ofApplication;
    expect(await userOf(caller, twin, first)).toEqual(enrolled(twin, first));
    expect(await userOf(caller, twin, second)).toMatchObject(asked(twin, second));
  });

  test('by id alone is the one user of the boundary who has it', async () => {
    for (const caller of [people.ofInstallation, people.ofApplication, people.ofFirst]) {
      expect(await userOf(caller, ann)).toEqual(enrolled(ann, first));
      expect(await userOf(caller, ann, null)).toEqual(enrolled(ann, first));
    }
  });

  test('TEN-3: by an id that two tenants of the boundary have is null', async () => {
    expect(await userOf(people.ofInstallation, twin)).toBeNull();
    expect(await userOf(people.ofApplication, twin)).toBeNull();
    expect(await userOf(people.ofInstallation, stray)).toBeNull();
  });

  test('TEN-3: by an id that others have too, outside the boundary, is the one inside', async () => {
    expect(await userOf(people.ofFirst, twin)).toEqual(enrolled(twin, first));
    expect(await userOf(people.ofSecond, twin)).toMatchObject(asked(twin, second));
    expect(await userOf(people.ofApplication, stray)).toMatchObject(asked(stray, first));
  });

  test('TEN-3: by an id that many tenants outside the boundary have, earlier or later, is the one inside', async () => {
    const id = uniqueId('user');
    const crowd = async () => {
      const others = await signInWorld(server, { tenants: 3 });
      for (const tenantId of others.tenantIds) await start(at(others, tenantId), id);
    };
    await crowd();
    const own = await signInWorld(server);
    await start(own, id);
    await crowd();
    const { applicationId, tenantId } = own;
    const reader = await server.caller({ applicationId, scopes: ['auth-factor:read'] });
    expect(await userOf(reader, id)).toMatchObject({ id, tenantId });
    expect(await userOf(people.ofInstallation, id)).toBeNull();
  });

  test('who was never seen is answered from the policy where the tenant is known', async () => {
    const id = uniqueId('user');
    for (const caller of [people.ofInstallation, people.ofApplication, people.ofFirst]) {
      expect(await userOf(caller, id, first)).toEqual(neverSeen(id, first));
    }
    expect(await userOf(people.ofSecond, id)).toEqual(neverSeen(id, second));
  });

  test('who was never seen is null by id alone, and is not learned of by being asked for', async () => {
    const id = uniqueId('user');
    expect(await userOf(people.ofApplication, id, first)).not.toBeNull();
    expect(await userOf(people.ofInstallation, id)).toBeNull();
    expect(await userOf(people.ofApplication, id)).toBeNull();
    const { rowCount } = await server.database.pool.query('select 1 from users where id = $1', [id]);
    expect(rowCount).toBe(0);
  });

  test.each([
    ['PENDING where there is grace', { enrollment: 'REQUIRED', gracePeriodDays: 1 }, 'PENDING'],
    ['OVERDUE where there is none', { enrollment: 'REQUIRED', gracePeriodDays: 0 }, 'OVERDUE'],
    ['OPTIONAL where nothing is required', { enrollment: 'OPTIONAL' }, 'OPTIONAL'],
    ['DISABLED where MFA is off', { totpEnabled: false, enrollment: 'OPTIONAL' }, 'DISABLED'],
  ] as const)('who was never seen is %s, and nothing is due', async (_, policy, state) => {
    const own = await signInWorld(server, { policy: { totpEnabled: true } });
    await setPolicy(own, policy);
    const user = await userOf(own.admin, uniqueId('user'), own.tenantId);
    expect(user?.mfa).toMatchObject({ state, enrollmentDueAt: null });
  });

  test('TEN-2: in a foreign tenant and in an absent one is null alike', async () => {
    const absent = foreign.tenantId.replace(/.{8}$/, '________');
    for (const caller of [people.ofApplication, people.ofFirst]) {
      for (const tenantId of [foreign.tenantId, absent, '', ' ', 'x'.repeat(65), '\u0000']) {
        expect(await userOf(caller, stray, tenantId)).toBeNull();
      }
    }
    expect(await userOf(people.ofFirst, twin, second)).toBeNull();
  });

  test('by what cannot be the id of a user is null, also where the tenant is known', async () => {
    for (const id of ['', 'x'.repeat(256), '\u0000', 'a\u202eb']) {
      expect(await userOf(people.ofApplication, id, first)).toBeNull();
      expect(await userOf(people.ofFirst, id)).toBeNull();
    }
  });

  test('ids are compared byte by byte', async () => {
    const own = await signInWorld(server);
    const id = `${uniqueId('user')}-\u00e9`;
    await start(own, id);
    for (const other of [id.toUpperCase(), id.normalize('NFD'), `${id} `, ` ${id}`]) {
      expect(await userOf(own.admin, other)).toBeNull();
    }
    expect(await userOf(own.admin, id)).toMatchObject({ id });
  });

  test('a user reads itself without a scope, by id alone or with its tenant, and nobody else', async () => {
    const caller = await people.self(ann);
    expect(await userOf(caller, ann)).toEqual(enrolled(ann, first));
    expect(await userOf(caller, ann, first)).toEqual(enrolled(ann, first));
    const unseen = uniqueId('user');
    expect(await userOf(await people.self(unseen), unseen)).toEqual(neverSeen(unseen, first));
    for (const [id, tenantId] of [[twin], [twin, first], [ann, second], [ann, foreign.tenantId], [unseen]]) {
      const { data, errors } = await caller.call(KnownUserDocument, { id: id ?? '', tenantId });
      expect([data, codesOf(errors)]).toEqual([{ user: null }, [['user', 'FORBIDDEN']]]);
    }
  });

  test('who is no user of a tenant has no self: without the scope FORBIDDEN', async () => {
    for (const applicationId of [undefined, world.applicationId]) {
      const caller = await server.caller({ sub: ann, applicationId, scopes: ['mfa-policy:read'] });
      const { errors } = await caller.call(KnownUserDocument, { id: ann });
      expect(codesOf(errors)).toEqual([['user', 'FORBIDDEN']]);
    }
  });
});

describe('viewer.mfa', () => {
  const mine = async (caller: TestCaller) => (await caller.call(MyselfDocument)).data.viewer;

  test('is the MFA of the signed-in user, in its own tenant', async () => {
    expect(await mine(await people.self(twin))).toEqual({
      subject: twin,
      tenant: { id: first },
      mfa: {
        state: 'ENROLLED',
        enrollmentDueAt: null,
        factors: enrolled(twin, first).mfa.factors,
        recoveryCodeState: 'ACTIVE',
        tenant: { id: first, displayName: 'Tenant 001' },
      },
    });
    expect(await mine(await people.self(twin, second))).toMatchObject({
      tenant: { id: second },
      mfa: { state: 'PENDING', factors: [], tenant: { id: second } },
    });
  });

  test('of a user never seen is answered from the policy', async () => {
    expect((await mine(await people.self(uniqueId('user'), second))).mfa).toMatchObject({
      state: 'PENDING',
      enrollmentDueAt: null,
      factors: [],
      recoveryCodeState: 'NONE',
    });
  });

  test('is null for whoever is no user of a tenant that exists', async () => {
    const { applicationId } = world;
    const callers = [
      await server.caller({ sub: ann }),
      await server.caller({ sub: ann, applicationId }),
      await server.caller({ sub: ann, applicationId, tenantId: uniqueId('absent') }),
      await server.caller({ sub: stray, applicationId, tenantId: foreign.tenantId }),
    ];
    for (const caller of callers) expect((await mine(caller)).mfa).toBeNull();
  });
});
