import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { deleteFactor } from '../signin/step-tools.ts';
import { enrolledUser, mfaOf, type SignInWorld, signInWorld, start } from '../signin/user-agent.ts';
import { daysFrom, eventsOf, grant, revoke } from './administrator.ts';

let server: TestServer;
let world: SignInWorld;
/** An administrator who may exempt, and nothing else. */
let admin: TestCaller;
let userId: string;
beforeAll(async () => {
  server = await startTestServer();
  server.clock.fix(new Date());
});
beforeEach(async () => {
  world = await signInWorld(server, { tenants: 2 });
  const { applicationId } = world;
  admin = await server.caller({ sub: 'alice', applicationId, scopes: ['mfa-exemption:write'] });
  userId = uniqueId('user');
});
afterAll(() => server.stop());

const inDays = (days: number): Date => daysFrom(server.clock.now(), days);
const events = () => eventsOf(server, world, userId, 'mfa_exemption.');

describe('an exemption', () => {
  test('excuses from required enrollment, and says until when, why and by whom', async () => {
    await start(world, userId);
    const until = inDays(3).toISOString();
    expect(await grant(admin, world, userId, inDays(3), '  phone in repair ')).toMatchObject({
      user: {
        id: userId,
        tenantId: world.tenantId,
        mfa: { state: 'EXEMPT', exemption: { until, reason: 'phone in repair', grantedBy: 'alice' } },
      },
    });
    expect(await start(world, userId)).toMatchObject({ status: 'AUTHENTICATED', reason: 'EXEMPT' });
    expect(await events()).toEqual([
      {
        action: 'mfa_exemption.granted',
        actor: 'alice',
        detail: { until: [null, until], reason: [null, 'phone in repair'] },
      },
    ]);
  });

  test('can be granted to a user never seen, who is known from then on', async () => {
    expect(await grant(admin, world, userId, inDays(1))).toMatchObject({
      user: { mfa: { state: 'EXEMPT', enrollmentDueAt: null } },
    });
    const byIdAlone = await world.admin.call<{ user: unknown }, { id: string }>(
      'query ($id: ID!) { user(id: $id) { tenantId } }',
      { id: userId },
    );
    expect(byIdAlone.data.user).toEqual({ tenantId: world.tenantId });
    expect(await start(world, userId)).toMatchObject({ reason: 'EXEMPT' });
  });

  test('ends by itself', async () => {
    const local = await startTestServer({ database: server.database });
    const here = await signInWorld(local);
    local.clock.fix(new Date());
    const until = daysFrom(local.clock.now(), 0.01);
    await grant(here.admin, here, userId, until);
    local.clock.fix(new Date(until.getTime() - 1));
    expect(await start(here, userId)).toMatchObject({ reason: 'EXEMPT' });
    local.clock.fix(until);
    expect(await start(here, userId)).toMatchObject({ reason: 'ENROLLMENT_REQUIRED' });
    expect(await mfaOf(here, userId)).toMatchObject({ state: 'OVERDUE', exemption: null });
    await local.stop();
  });

  test('excuses no enrolled user from the challenge', async () => {
    const user = await enrolledUser(server, world);
    expect(await grant(admin, world, user.id, inDays(1))).toMatchObject({
      user: { mfa: { state: 'ENROLLED', exemption: { reason: 'phone in repair' } } },
    });
    expect(await start(world, user.id)).toMatchObject({ status: 'MFA_CHALLENGE_REQUIRED' });
    await deleteFactor(world, user.factorId);
    expect(await start(world, user.id)).toMatchObject({ reason: 'EXEMPT' });
  });

  test('is replaced by the next one, and the record tells both', async () => {
    await grant(admin, world, userId, inDays(1), 'first');
    const other = await server.caller({
      sub: 'bob',
      applicationId: world.applicationId,
      scopes: ['mfa-exemption:write'],
    });
    expect(await grant(other, world, userId, inDays(2), 'second')).toMatchObject({
      user: { mfa: { exemption: { reason: 'second', grantedBy: 'bob' } } },
    });
    expect((await events())[1]).toEqual({
      action: 'mfa_exemption.granted',
      actor: 'bob',
      detail: {
        until: [inDays(1).toISOString(), inDays(2).toISOString()],
        reason: ['first', 'second'],
      },
    });
  });

  test('granted again with the same values changes nothing, and is recorded once', async () => {
    for (let n = 0; n < 3; n += 1) {
      expect(await grant(admin, world, userId, inDays(1))).toMatchObject({
        user: { mfa: { state: 'EXEMPT' } },
      });
    }
    await Promise.all(Array.from({ length: 5 }, () => grant(admin, world, userId, inDays(1))));
    expect(await events()).toHaveLength(1);
  });

  test('granted by many at once is one, the last, and the record tells the way to it without a gap', async () => {
    const days = Array.from({ length: 8 }, (_, n) => n + 1);
    await Promise.all(days.map((n) => grant(admin, world, userId, inDays(n), `reason ${n}`)));
    const recorded = (await events()) as { detail: { reason: [string | null, string] } }[];
    expect(recorded).toHaveLength(8);
    const next = new Map(recorded.map(({ detail: { reason } }) => reason));
    const way: string[] = [];
    for (let at = next.get(null); at !== undefined; at = next.get(at)) way.push(at);
    expect(way).toHaveLength(8);
    expect((await mfaOf(world, userId)).exemption?.reason).toBe(way.at(-1));
  });

  test('of one tenant is none of the same user id in another (TEN-3)', async () => {
    await grant(admin, world, userId, inDays(1));
    const elsewhere = { ...world, tenantId: world.tenantIds[1] as string };
    expect(await start(elsewhere, userId)).toMatchObject({ reason: 'ENROLLMENT_REQUIRED' });
    expect(await mfaOf(elsewhere, userId)).toMatchObject({ exemption: null });
    expect(await revoke(admin, elsewhere, userId)).toMatchObject({ user: { mfa: { exemption: null } } });
    expect(await mfaOf(world, userId)).toMatchObject({ state: 'EXEMPT' });
  });
});

describe('an exemption that is refused', () => {
  const tomorrow = (at: Date) => daysFrom(at, 1);
  test.each<[string, string, (at: Date) => Date, string]>([
    ['ends now', 'until', (at) => at, 'fine'],
    ['ended before', 'until', (at) => daysFrom(at, -1), 'fine'],
    ['ends in more than 365 days', 'until', (at) => new Date(daysFrom(at, 365).getTime() + 1), 'fine'],
    ['has no reason', 'reason', tomorrow, ''],
    ['has a blank reason', 'reason', tomorrow, ' \t '],
    ['has a reason of 501 characters', 'reason', tomorrow, 'x'.repeat(501)],
    ['has a control character in its reason', 'reason', tomorrow, 'a\u0000b'],
    ['has a line break in its reason', 'reason', tomorrow, 'a\nb'],
    ['reorders text in its reason', 'reason', tomorrow, 'a\u202eb'],
  ])('since it %s is InvalidInput, and nothing is written', async (_name, field, until, reason) => {
    const refused = await grant(admin, world, userId, until(server.clock.now()), reason);
    expect(refused).toMatchObject({ code: 'INVALID_INPUT', field });
    expect(await events()).toEqual([]);
    expect(await revoke(admin, world, userId)).toMatchObject({ code: 'NOT_FOUND' });
  });

  test.each([
    ['nobody', ''],
    ['256 characters', 'x'.repeat(256)],
    ['a control character', 'a\u0000b'],
  ])('since its user id is %s is InvalidInput', async (_name, id) => {
    expect(await grant(admin, world, id, inDays(1))).toMatchObject({ field: 'userId' });
  });

  test('365 days and 500 characters are not refused', async () => {
    expect(await grant(admin, world, userId, inDays(365), 'ä'.repeat(500))).toMatchObject({
      user: { mfa: { state: 'EXEMPT' } },
    });
  });
});

describe('revoking an exemption', () => {
  test('ends it at once, and the record tells what it was', async () => {
    const until = inDays(9).toISOString();
    await grant(admin, world, userId, inDays(9));
    const bob = await server.caller({ sub: 'bob', scopes: ['mfa-exemption:write'] });
    expect(await revoke(bob, world, userId)).toMatchObject({
      user: { mfa: { state: 'OVERDUE', exemption: null } },
    });
    expect(await start(world, userId)).toMatchObject({ reason: 'ENROLLMENT_REQUIRED' });
    expect((await events())[1]).toEqual({
      action: 'mfa_exemption.revoked',
      actor: 'bob',
      detail: { until: [until, null], reason: ['phone in repair', null], grantedBy: 'alice' },
    });
  });

  test('where none is running changes nothing and records nothing', async () => {
    await start(world, userId);
    expect(await revoke(admin, world, userId)).toMatchObject({ user: { mfa: { exemption: null } } });
    await grant(admin, world, userId, inDays(1));
    await Promise.all(Array.from({ length: 5 }, () => revoke(admin, world, userId)));
    expect((await events()).map(({ action }) => action)).toEqual([
      'mfa_exemption.granted',
      'mfa_exemption.revoked',
    ]);
  });

  test('of a user never seen is NOT_FOUND, and makes nobody known', async () => {
    for (const id of [userId, '', 'a\u0000b', 'x'.repeat(300)]) {
      expect(await revoke(admin, world, id)).toMatchObject({ code: 'NOT_FOUND' });
    }
    const { rows } = await server.database.pool.query('select id from users where tenant_id = $1', [
      world.tenantId,
    ]);
    expect(rows).toEqual([]);
  });
});
