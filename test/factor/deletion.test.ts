import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startTestServer, type TestServer } from '../setup/harness.ts';
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
import { countersOf, deleteFactor, factorRows, openTokens, redeem, renewed, selfOf, tally } from './agent.ts';

let server: TestServer;
let world: SignInWorld;
let user: EnrolledUser;
beforeAll(async () => {
  server = await startTestServer();
  world = await signInWorld(server);
});
beforeEach(async () => {
  world = await renewed(server, world);
  user = await enrolledUser(server, world);
});
afterAll(() => server.stop());

const right = (secret = user.secret) => codeAt(secret, server.clock.now());

/** Everything that a deletion has to clear: pending factors, open steps, failures of both kinds. */
async function fill(): Promise<string[]> {
  const self = await selfOf(server, world, user.id);
  const tokens = await openTokens(world, user.id, 3);
  await beginTotp(self, { currentCode: right() });
  server.clock.advance(30);
  await beginTotp(world.browser, { mfaToken: tokens[0] as string, currentCode: right() });
  server.clock.advance(30);
  for (let n = 0; n < 2; n += 1) {
    await redeem(world.browser, tokens[1] as string, '0000-0000-0000-0000-0000');
    await verify(world.browser, wrongCode(user.secret, server.clock.now()), tokens[1] as string);
  }
  return tokens;
}

async function expectNothingLeft(tokens: readonly string[]): Promise<void> {
  expect(await factorRows(server, world.tenantId, user.id)).toEqual([]);
  expect(await factorRows(server, world.tenantId, user.id, 'pending_auth_factors')).toEqual([]);
  expect(await countersOf(server, world.tenantId, user.id)).toEqual({
    totp_failures: 0,
    totp_locked_until: null,
    recovery_failures: 0,
    recovery_locked_until: null,
  });
  const { rows } = await server.database.pool.query(
    'select id from mfa_steps where tenant_id = $1 and user_id = $2 and finished_at is null and ended_at is null',
    [world.tenantId, user.id],
  );
  expect(rows).toEqual([]);
  for (const mfaToken of tokens) {
    expect(await verify(world.browser, right(), mfaToken)).toMatchObject({ code: 'INVALID_MFA_TOKEN' });
    expect(await finishChallenge(world, mfaToken)).toMatchObject({ code: 'INVALID_MFA_TOKEN' });
  }
}

describe('deleting the authenticator', () => {
  test('ENR-2: by an administrator clears secret, last step, counters, recovery code, pending factors and open steps', async () => {
    const tokens = await fill();
    expect(await factorRows(server, world.tenantId, user.id, 'pending_auth_factors')).toHaveLength(2);
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({
      totp_failures: 2,
      recovery_failures: 2,
    });
    expect(await deleteFactor(world.admin, user.factorId)).toMatchObject({
      user: { id: user.id, mfa: { state: 'OVERDUE', factors: [], recoveryCodeState: 'NONE' } },
    });
    await expectNothingLeft(tokens);
  });

  test('ENR-2: by the user itself clears the same', async () => {
    const tokens = await fill();
    const self = await selfOf(server, world, user.id);
    expect(await deleteFactor(self, user.factorId, right())).toMatchObject({ __typename: 'UserPayload' });
    await expectNothingLeft(tokens);
  });

  test('ENR-2: ends a step that was satisfied and not finished', async () => {
    const mfaToken = await startToken(world, user.id);
    await verify(world.browser, right(), mfaToken);
    await deleteFactor(world.admin, user.factorId);
    expect(await finishChallenge(world, mfaToken)).toMatchObject({ code: 'INVALID_MFA_TOKEN' });
  });

  test('ENR-2: leaves other users alone, also the one of the same id in another tenant', async () => {
    const second = await signInWorld(server);
    const twin = await enrolledUser(server, second, user.id);
    const neighbour = await enrolledUser(server, world);
    await deleteFactor(world.admin, user.factorId);
    expect(await mfaOf(second, twin.id)).toMatchObject({ state: 'ENROLLED', recoveryCodeState: 'ACTIVE' });
    expect(await mfaOf(world, neighbour.id)).toMatchObject({ state: 'ENROLLED' });
  });

  test('ENR-2: with a wrong code, or with one that was used, deletes nothing and counts', async () => {
    const self = await selfOf(server, world, user.id);
    const used = right();
    await verify(world.browser, used, await startToken(world, user.id));
    expect(await deleteFactor(self, user.factorId)).toMatchObject({ code: 'STEP_UP_REQUIRED' });
    expect(await deleteFactor(self, user.factorId, used)).toMatchObject({ attemptsRemaining: 4 });
    expect(await mfaOf(world, user.id)).toMatchObject({ state: 'ENROLLED', recoveryCodeState: 'ACTIVE' });
    const { rows } = await server.database.pool.query(
      "select 1 from audit_events where user_id = $1 and action = 'auth_factor.removed'",
      [user.id],
    );
    expect(rows).toEqual([]);
  });

  test('ENR-2: does not start the grace period anew', async () => {
    await deleteFactor(world.admin, user.factorId);
    expect(await start(world, user.id)).toMatchObject({ reason: 'ENROLLMENT_REQUIRED' });
  });

  test('ENR-2: of a pending factor leaves the active one', async () => {
    const self = await selfOf(server, world, user.id);
    const begun = await beginTotp(self, { currentCode: right() });
    expect(await deleteFactor(self, begun.factor.id)).toMatchObject({
      user: { mfa: { state: 'ENROLLED', factors: [{ id: user.factorId }, { type: 'RECOVERY_CODE' }] } },
    });
    expect(await verify(self, right(begun.secret))).toMatchObject({ code: 'INVALID_CODE' });
  });

  test('ENR-2: of the recovery code alone leaves the authenticator and its counter', async () => {
    const mfaToken = await startToken(world, user.id);
    await verify(world.browser, wrongCode(user.secret, server.clock.now()), mfaToken);
    await redeem(world.browser, mfaToken, '0000-0000-0000-0000-0000');
    const recovery = (await mfaOf(world, user.id)).factors.find(({ type }) => type === 'RECOVERY_CODE');
    await deleteFactor(world.admin, recovery?.id ?? '');
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({
      totp_failures: 1,
      recovery_failures: 0,
    });
    expect(await verify(world.browser, right(), mfaToken)).toMatchObject({ __typename: 'FactorVerified' });
  });

  test('ENR-2: five times at once happens once, and is recorded once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => deleteFactor(world.admin, user.factorId)),
    );
    expect(tally(answers)).toEqual({ UserPayload: 1, NOT_FOUND: 4 });
    const { rows } = await server.database.pool.query(
      "select 1 from audit_events where user_id = $1 and action = 'auth_factor.removed'",
      [user.id],
    );
    expect(rows).toHaveLength(1);
  });

  test.each([1, 2, 3, 4, 5, 6])(
    'ENR-2: of a factor that is replaced at the same time deletes that one or none (round %d)',
    async () => {
      const self = await selfOf(server, world, user.id);
      const begun = await beginTotp(self, { currentCode: right() });
      const [confirmed, deleted] = await Promise.all([
        verify(self, right(begun.secret)),
        deleteFactor(world.admin, user.factorId),
      ]);
      const left = await factorRows(server, world.tenantId, user.id);
      const isDeleted = deleted.__typename === 'UserPayload';
      expect(isDeleted).toBe(confirmed.__typename !== 'FactorVerified');
      expect(left.map(({ id, type }) => type === 'TOTP' && id).filter(Boolean)).toEqual(
        isDeleted ? [] : [begun.factor.id],
      );
      expect(left).toHaveLength(isDeleted ? 0 : 2);
    },
  );
});
