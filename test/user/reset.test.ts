import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { countersOf, factorRows, openTokens, redeem, selfOf } from '../factor/agent.ts';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt, wrongCode } from '../setup/totp.ts';
import {
  beginTotp,
  type EnrolledUser,
  enrolledUser,
  finishChallenge,
  mfaOf,
  type SignInWorld,
  signInWorld,
  start,
  startToken,
  verify,
} from '../signin/user-agent.ts';
import { daysFrom, eventsOf, grant, reset } from './administrator.ts';

let server: TestServer;
let world: SignInWorld;
let user: EnrolledUser;
beforeAll(async () => {
  server = await startTestServer();
});
beforeEach(async () => {
  world = await signInWorld(server);
  user = await enrolledUser(server, world);
});
afterAll(() => server.stop());

const right = (secret = user.secret) => codeAt(secret, server.clock.now());
const events = () => eventsOf(server, world, user.id, 'mfa_user.reset');

describe('resetting a user', () => {
  test('ENR-2: clears secret, last step, counters, recovery code, pending factors and open steps', async () => {
    const self = await selfOf(server, world, user.id);
    const tokens = await openTokens(world, user.id, 3);
    await beginTotp(self, { currentCode: right() });
    server.clock.advance(30);
    await verify(world.browser, right(), tokens[2] as string);
    for (let n = 0; n < 2; n += 1) {
      await redeem(world.browser, tokens[1] as string, '0000-0000-0000-0000-0000');
      await verify(world.browser, wrongCode(user.secret, server.clock.now()), tokens[1] as string);
    }
    expect(await reset(world.admin, world, user.id)).toMatchObject({
      user: {
        id: user.id,
        mfa: { state: 'OVERDUE', factors: [], recoveryCodeState: 'NONE', lockedUntil: null },
      },
    });
    expect(await factorRows(server, world.tenantId, user.id)).toEqual([]);
    expect(await factorRows(server, world.tenantId, user.id, 'pending_auth_factors')).toEqual([]);
    expect(await countersOf(server, world.tenantId, user.id)).toEqual({
      totp_failures: 0,
      totp_locked_until: null,
      recovery_failures: 0,
      recovery_locked_until: null,
    });
    for (const mfaToken of tokens) {
      expect(await verify(world.browser, right(), mfaToken)).toMatchObject({ code: 'INVALID_MFA_TOKEN' });
      expect(await finishChallenge(world, mfaToken)).toMatchObject({ code: 'INVALID_MFA_TOKEN' });
    }
  });

  test('REC-2: kills the recovery code', async () => {
    await reset(world.admin, world, user.id);
    await enrolledUser(server, world, user.id);
    const mfaToken = await startToken(world, user.id);
    expect(await redeem(world.browser, mfaToken, user.recoveryCode ?? '')).toMatchObject({
      code: 'INVALID_CODE',
    });
  });

  test('ENR-2: leads a user on whose factor is disabled', async () => {
    await server.database.pool.query(
      'update users set totp_failures = 50, totp_locked_until = $3 where tenant_id = $1 and id = $2',
      [world.tenantId, user.id, daysFrom(server.clock.now(), 1)],
    );
    expect(await mfaOf(world, user.id)).toMatchObject({ factors: [{ status: 'DISABLED' }, {}] });
    await reset(world.admin, world, user.id);
    const again = await enrolledUser(server, world, user.id);
    const mfaToken = await startToken(world, user.id);
    expect(await verify(world.browser, right(again.secret), mfaToken)).toMatchObject({
      __typename: 'FactorVerified',
    });
  });

  test('gives no new grace', async () => {
    world = await signInWorld(server, {
      policy: { totpEnabled: true, enrollment: 'REQUIRED', gracePeriodDays: 30 },
    });
    user = await enrolledUser(server, world);
    await reset(world.admin, world, user.id);
    expect(await start(world, user.id)).toMatchObject({ reason: 'ENROLLMENT_REQUIRED' });

    const waiting = uniqueId('user');
    const first = await start(world, waiting);
    server.clock.advance(60);
    expect(await reset(world.admin, world, waiting)).toMatchObject({ user: { mfa: { state: 'PENDING' } } });
    expect(await start(world, waiting)).toMatchObject({
      reason: 'GRACE_PERIOD',
      enrollmentDueAt: 'enrollmentDueAt' in first && first.enrollmentDueAt,
    });
  });

  test('leaves an exemption, other users and the same id in another tenant alone (TEN-3)', async () => {
    const second = await signInWorld(server);
    const twin = await enrolledUser(server, second, user.id);
    const neighbour = await enrolledUser(server, world);
    await grant(world.admin, world, user.id, daysFrom(server.clock.now(), 1));
    expect(await reset(world.admin, world, user.id)).toMatchObject({ user: { mfa: { state: 'EXEMPT' } } });
    expect(await mfaOf(second, twin.id)).toMatchObject({ state: 'ENROLLED', recoveryCodeState: 'ACTIVE' });
    expect(await mfaOf(world, neighbour.id)).toMatchObject({ state: 'ENROLLED' });
  });

  test('is recorded with who, why and what went', async () => {
    const helpdesk = await server.caller({
      sub: 'helpdesk',
      applicationId: world.applicationId,
      tenantId: world.tenantId,
      scopes: ['auth-factor:delete'],
    });
    expect(await reset(helpdesk, world, user.id, ' ticket 4711 ')).toMatchObject({
      __typename: 'UserPayload',
    });
    expect(await events()).toEqual([
      {
        action: 'mfa_user.reset',
        actor: 'helpdesk',
        detail: { reason: 'ticket 4711', factors: ['TOTP', 'RECOVERY_CODE'] },
      },
    ]);
  });

  test.each([
    ['nothing', ''],
    ['blank', '   '],
    ['501 characters', 'x'.repeat(501)],
    ['text with a control character', 'a\u0000b'],
    ['text that is reordered', 'a\u202eb'],
  ])('is refused where the reason is %s', async (_name, reason) => {
    expect(await reset(world.admin, world, user.id, reason)).toMatchObject({
      code: 'INVALID_INPUT',
      field: 'reason',
    });
    expect(await mfaOf(world, user.id)).toMatchObject({ state: 'ENROLLED' });
    expect(await events()).toEqual([]);
  });

  test('is NOT_FOUND for a user never seen, who stays unknown', async () => {
    for (const id of [uniqueId('user'), '', 'a\u0000b']) {
      expect(await reset(world.admin, world, id)).toMatchObject({ code: 'NOT_FOUND' });
    }
    const { rows } = await server.database.pool.query('select id from users where tenant_id = $1', [
      world.tenantId,
    ]);
    expect(rows).toEqual([{ id: user.id }]);
  });

  test.each([1, 2, 3, 4, 5, 6])(
    'ENR-2: at the moment that a new factor is confirmed leaves nothing of it (round %d)',
    async () => {
      const mfaToken = await startToken(world, user.id);
      const begun = await beginTotp(world.browser, { mfaToken, currentCode: right() });
      const [confirmed] = await Promise.all([
        verify(world.browser, right(begun.secret), mfaToken),
        reset(world.admin, world, user.id),
      ]);
      // A reset that comes second takes the new factor too; one that comes first ends the step.
      expect(['FactorVerified', 'InvalidCode', 'InvalidMfaToken']).toContain(confirmed.__typename);
      expect(await factorRows(server, world.tenantId, user.id)).toEqual([]);
      expect(await factorRows(server, world.tenantId, user.id, 'pending_auth_factors')).toEqual([]);
    },
  );
});
