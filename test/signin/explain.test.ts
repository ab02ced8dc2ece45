import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { UpdateApplicationDocument } from '../generated/documents.ts';
import { startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { override } from '../setup/world.ts';
import { statementsOf } from '../tenancy/statements.ts';
import { daysFrom, grant, reset } from '../user/administrator.ts';
import { at, explain, setPolicy } from './step-tools.ts';
import { enrolledUser, type SignInWorld, signInWorld, start } from './user-agent.ts';

let server: TestServer;
let world: SignInWorld;
/** The sign-in service, which asks why. */
let service: TestCaller;
let userId: string;
beforeAll(async () => {
  server = await startTestServer();
  server.clock.fix(new Date());
});
beforeEach(async () => {
  world = await signInWorld(server, { tenants: 2 });
  service = world.service;
  userId = uniqueId('user');
});
afterAll(() => server.stop());

const order = [
  'EXTERNAL_IDENTITY_PROVIDER',
  'MFA_NOT_ENABLED',
  'ENROLLED',
  'EXEMPT',
  'ENROLLMENT_OPTIONAL',
  'GRACE_PERIOD',
  'ENROLLMENT_REQUIRED',
];

/** The rules that matched, and the sentence of one of them. */
async function seen(rule: string, id = userId, ...rest: [('LOCAL' | 'EXTERNAL')?]) {
  const explained = await explain(service, world, id, ...rest);
  const rules = explained?.rules ?? [];
  return {
    reason: explained?.decision.reason,
    matched: rules.filter(({ matched }) => matched).map((asked) => asked.rule),
    detail: rules.find((asked) => asked.rule === rule)?.detail,
  };
}

const told = (moment: Date) => `${moment.toISOString().slice(0, 19).replace('T', ' ')} UTC`;

describe('explainMfa', () => {
  test('tells every rule in the order in which they are asked, whichever decides', async () => {
    for (const provider of ['LOCAL', 'EXTERNAL'] as const) {
      const explained = await explain(service, world, userId, provider);
      expect(explained?.rules.map(({ rule }) => rule)).toEqual(order);
    }
  });

  test('of a user never seen answers from the policy, and which policy that is', async () => {
    expect(await explain(service, world, userId)).toMatchObject({
      decision: {
        status: 'MFA_ENROLLMENT_REQUIRED',
        reason: 'ENROLLMENT_REQUIRED',
        mfaToken: null,
        expiresAt: null,
        enrollmentDueAt: null,
        pageUrl: null,
      },
      effectivePolicy: { tenant: { id: world.tenantId }, source: 'APPLICATION', version: 2 },
    });
    await override(server, world.tenantId, { enrollment: 'OPTIONAL' });
    expect(await explain(service, world, userId)).toMatchObject({
      decision: { status: 'AUTHENTICATED', reason: 'ENROLLMENT_OPTIONAL' },
      effectivePolicy: { source: 'TENANT', version: 1, enrollment: 'OPTIONAL' },
    });
    expect((await seen('MFA_NOT_ENABLED')).detail).toBe(
      `TOTP is on in the tenant's override (version 1, since ${told(server.clock.now())}).`,
    );
  });

  test('says of an override that the rule raises that it was raised', async () => {
    const strict = await signInWorld(server, { overrideRule: 'STRICTER_ONLY' });
    await override(server, strict.tenantId, { issuer: 'Own' });
    await setPolicy(strict, { enrollment: 'OPTIONAL' });
    await override(server, strict.tenantId, { enrollment: 'OPTIONAL' });
    await setPolicy(strict, { enrollment: 'REQUIRED' });
    world = strict;
    service = strict.service;
    expect((await seen('ENROLLMENT_OPTIONAL')).detail).toBe(
      `Enrollment is REQUIRED in the tenant's override (version 2, since ${told(server.clock.now())}, raised to the application's policy, because the application's rule is STRICTER_ONLY).`,
    );
  });

  test('says of an override that is switched on and does not apply why, and since when what applies instead', async () => {
    const since = server.clock.now();
    server.clock.advance(3600);
    await override(server, world.tenantId, { enrollment: 'OPTIONAL' });
    await world.admin.call(UpdateApplicationDocument, {
      input: { id: world.applicationId, overrideRule: 'NONE' },
    });
    expect((await seen('ENROLLMENT_OPTIONAL')).detail).toBe(
      `Enrollment is REQUIRED in the application's policy (version 2, since ${told(since)}; the tenant's override is switched on and ignored, because the application's rule is NONE).`,
    );
  });

  test('tells since when a user is enrolled', async () => {
    const user = await enrolledUser(server, world);
    const since = daysFrom(server.clock.now(), -30 / (24 * 3600));
    expect(await seen('ENROLLED', user.id)).toEqual({
      reason: 'ENROLLED',
      matched: ['ENROLLED', 'ENROLLMENT_REQUIRED'],
      detail: `The user has been enrolled since ${told(since)}.`,
    });
    await reset(world.admin, world, user.id);
    expect(await seen('ENROLLED', user.id)).toMatchObject({
      reason: 'ENROLLMENT_REQUIRED',
      detail: `The user has no authenticator any more; the first was enrolled on ${told(since)}.`,
    });
  });

  test('tells until when a user is exempt, by whom and why', async () => {
    const until = daysFrom(server.clock.now(), 3);
    await grant(world.admin, world, userId, until, 'phone in repair');
    expect(await seen('EXEMPT')).toEqual({
      reason: 'EXEMPT',
      matched: ['EXEMPT', 'ENROLLMENT_REQUIRED'],
      detail: `The user is exempt until ${told(until)}, granted by tester (reason: phone in repair).`,
    });
  });

  test('tells when grace began and when it ends, and begins none', async () => {
    await setPolicy(world, { gracePeriodDays: 7 });
    const before = await explain(service, world, userId);
    expect(before?.decision).toMatchObject({ reason: 'GRACE_PERIOD', enrollmentDueAt: null });
    const now = server.clock.now();
    await start(world, userId);
    const due = daysFrom(now, 7);
    const after = await explain(service, world, userId);
    expect(after?.decision).toMatchObject({
      status: 'AUTHENTICATED',
      reason: 'GRACE_PERIOD',
      enrollmentDueAt: due.toISOString(),
      mfaToken: null,
      pageUrl: null,
    });
    expect((await seen('GRACE_PERIOD')).detail).toBe(
      `Enrollment was first required of the user on ${told(now)}; the application's policy (version 3, since ${told(now)}) allows 7 days of grace, so it is due on ${told(due)}.`,
    );
  });

  test('answers for the identity provider that it is asked for', async () => {
    expect(await seen('EXTERNAL_IDENTITY_PROVIDER', userId, 'EXTERNAL')).toMatchObject({
      reason: 'EXTERNAL_IDENTITY_PROVIDER',
      matched: ['EXTERNAL_IDENTITY_PROVIDER', 'ENROLLMENT_REQUIRED'],
    });
    expect((await seen('EXTERNAL_IDENTITY_PROVIDER')).matched).toEqual(['ENROLLMENT_REQUIRED']);
  });

  test('writes nothing, and takes one statement', async () => {
    await setPolicy(world, { gracePeriodDays: 7 });
    const user = await enrolledUser(server, world);
    const everything = async () => {
      const tables = ['users', 'auth_factors', 'pending_auth_factors', 'mfa_steps', 'audit_events'];
      const rows = tables.map((table) =>
        server.database.pool.query(`select * from ${table} where tenant_id = any($1) order by id`, [
          world.tenantIds,
        ]),
      );
      return (await Promise.all(rows)).map((result) => result.rows);
    };
    const before = await everything();
    for (const id of [userId, user.id]) {
      for (const caller of [service, world.admin]) {
        await explain(caller, world, id);
        await explain(caller, world, id, 'EXTERNAL');
      }
    }
    expect(await everything()).toEqual(before);
    expect(await statementsOf(() => explain(service, world, user.id))).toHaveLength(1);
  });

  test('is null for a tenant that is absent or foreign, and for an id that can be none', async () => {
    const foreign = await signInWorld(server);
    for (const tenantId of [uniqueId('absent'), foreign.tenantId, '', 'a\u0000b']) {
      expect(await explain(service, at(world, tenantId), userId)).toBeNull();
    }
    for (const id of ['', 'a\u0000b', 'x'.repeat(256)]) {
      expect(await explain(service, world, id)).toBeNull();
    }
  });

  test('TEN-3: tells nothing of the user of the same id in another tenant', async () => {
    await grant(world.admin, world, userId, daysFrom(server.clock.now(), 3));
    const user = await enrolledUser(server, world);
    const elsewhere = at(world, world.tenantIds[1] as string);
    const unseen = await explain(service, elsewhere, uniqueId('user'));
    expect(await explain(service, elsewhere, userId)).toEqual(unseen);
    expect(await explain(service, elsewhere, user.id)).toEqual(unseen);
  });
});
