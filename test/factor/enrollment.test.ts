import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { IntrospectDocument } from '../generated/documents.ts';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt, wrongCode } from '../setup/totp.ts';
import {
  beginTotp,
  enrolledUser,
  finishEnrollment,
  mfaOf,
  type SignInWorld,
  signInWorld,
  start,
  startToken,
  verify,
} from '../signin/user-agent.ts';
import { factorRows, openTokens, redeem, renewed, selfOf, tally } from './agent.ts';

let server: TestServer;
let world: SignInWorld;
beforeAll(async () => {
  server = await startTestServer();
  world = await signInWorld(server);
});
beforeEach(async () => {
  world = await renewed(server, world);
});
afterAll(() => server.stop());

const right = ({ secret }: { secret: string }, steps = 0) => codeAt(secret, server.clock.now(), steps);
const rounds = Array.from({ length: 6 }, (_, n) => n + 1);

/** The TOTP factor that is active, and that there is just one, with a recovery code and nothing pending. */
async function expectOneFactor(userId: string, ids: readonly string[]): Promise<void> {
  const rows = await factorRows(server, world.tenantId, userId);
  expect(rows.map(({ type }) => type)).toEqual(['TOTP', 'RECOVERY_CODE']);
  expect(ids).toContain(rows[0]?.id);
  expect(await factorRows(server, world.tenantId, userId, 'pending_auth_factors')).toEqual([]);
}

describe('enrolling at once', () => {
  test.each(rounds)('ENR-1: ten begins in one step answer one secret (round %d)', async () => {
    const userId = uniqueId('user');
    const mfaToken = await startToken(world, userId);
    const begun = await Promise.all(Array.from({ length: 10 }, () => beginTotp(world.browser, { mfaToken })));
    expect(new Set(begun.map(({ secret }) => secret)).size).toBe(1);
    expect(new Set(begun.map(({ factor }) => factor.id)).size).toBe(1);
    expect(await factorRows(server, world.tenantId, userId, 'pending_auth_factors')).toHaveLength(1);
  });

  test('ENR-1: ten begins in self-service of a user never seen answer one secret', async () => {
    const self = await selfOf(server, world, uniqueId('user'));
    const begun = await Promise.all(Array.from({ length: 10 }, () => beginTotp(self, {})));
    expect(new Set(begun.map(({ secret }) => secret)).size).toBe(1);
  });

  test.each(rounds)('ENR-1: five confirmations of one pending factor: one is right (round %d)', async () => {
    const userId = uniqueId('user');
    const mfaToken = await startToken(world, userId);
    const begun = await beginTotp(world.browser, { mfaToken });
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => verify(world.browser, right(begun), mfaToken)),
    );
    expect(tally(answers)).toEqual({ FactorVerified: 1, INVALID_CODE: 4 });
    await expectOneFactor(userId, [begun.factor.id]);
  });

  test.each(rounds)(
    'ENR-1: confirmations in several steps and in self-service: one wins (round %d)',
    async () => {
      const userId = uniqueId('user');
      const tokens = await openTokens(world, userId, 3);
      const self = await selfOf(server, world, userId);
      const own = await beginTotp(self, {});
      const begun = await Promise.all(tokens.map((mfaToken) => beginTotp(world.browser, { mfaToken })));
      const answers = await Promise.all([
        ...begun.map((one, n) => verify(world.browser, right(one), tokens[n] as string)),
        verify(self, right(own)),
      ]);
      const won = answers.flatMap((answer) => ('factor' in answer ? [answer.factor.id] : []));
      expect(won).toHaveLength(1);
      await expectOneFactor(userId, won);
      const finished = await Promise.all(tokens.map((mfaToken) => finishEnrollment(world, mfaToken)));
      const isOwn = won[0] === own.factor.id;
      expect(tally(finished)['MfaCompleted'] ?? 0).toBe(isOwn ? 0 : 1);
    },
  );

  test.each(rounds)(
    'ENR-1: a new factor confirmed while the old one is used leaves one, and no error (round %d)',
    async () => {
      const user = await enrolledUser(server, world);
      const self = await selfOf(server, world, user.id);
      const begun = await beginTotp(self, { currentCode: right(user) });
      server.clock.advance(30);
      const tokens = await openTokens(world, user.id, 3);
      const answers = await Promise.all([
        ...tokens.map((token) => verify(world.browser, right(user), token)),
        verify(self, right(begun)),
        redeem(world.browser, tokens[0] as string, user.recoveryCode as string),
      ]);
      expect(answers[3]).toMatchObject({ factor: { id: begun.factor.id } });
      await expectOneFactor(user.id, [begun.factor.id]);
    },
  );
});

describe('a pending factor', () => {
  test('ENR-1: counts for nothing: not in the state, not in the decision, not in a step', async () => {
    const userId = uniqueId('user');
    const mfaToken = await startToken(world, userId);
    const begun = await beginTotp(world.browser, { mfaToken });
    expect(await mfaOf(world, userId)).toMatchObject({
      state: 'OVERDUE',
      factors: [{ id: begun.factor.id, status: 'PENDING', activatedAt: null }],
      recoveryCodeState: 'NONE',
    });
    expect(await start(world, userId)).toMatchObject({ reason: 'ENROLLMENT_REQUIRED' });
    expect(await finishEnrollment(world, mfaToken)).toMatchObject({ code: 'MFA_NOT_SATISFIED' });
    const other = await startToken(world, userId);
    expect(await verify(world.browser, right(begun), other)).toMatchObject({ code: 'INVALID_CODE' });
    const { data } = await world.browser.call(IntrospectDocument, { mfaToken });
    expect(data.introspectMfaToken).toMatchObject({ satisfied: false, challengeWith: [] });
  });

  test('ENR-1: leaves the active one in force until it is confirmed, and takes its place then', async () => {
    const user = await enrolledUser(server, world);
    const self = await selfOf(server, world, user.id);
    const begun = await beginTotp(self, { currentCode: right(user) });
    server.clock.advance(30);
    const mfaToken = await startToken(world, user.id);
    expect(await verify(world.browser, right(begun), mfaToken)).toMatchObject({ code: 'INVALID_CODE' });
    expect(await verify(world.browser, right(user), mfaToken)).toMatchObject({
      factor: { id: user.factorId },
    });
    await verify(self, right(begun));
    server.clock.advance(30);
    const next = await startToken(world, user.id);
    expect(await verify(world.browser, right(user), next)).toMatchObject({ code: 'INVALID_CODE' });
    expect(await verify(world.browser, right(begun), next)).toMatchObject({
      factor: { id: begun.factor.id },
    });
    await expectOneFactor(user.id, [begun.factor.id]);
  });

  test('ENR-1: ends when another one of the user becomes active', async () => {
    const userId = uniqueId('user');
    const [stale, mfaToken] = (await openTokens(world, userId, 2)) as [string, string];
    const old = await beginTotp(world.browser, { mfaToken: stale });
    const self = await selfOf(server, world, userId);
    const own = await beginTotp(self, {});
    const begun = await beginTotp(world.browser, { mfaToken });
    await verify(world.browser, right(begun), mfaToken);
    expect(await verify(world.browser, right(old), stale)).toMatchObject({ code: 'INVALID_MFA_TOKEN' });
    expect(await verify(self, right(own))).toMatchObject({ code: 'INVALID_CODE' });
    await expectOneFactor(userId, [begun.factor.id]);
  });

  test.each<[string, string | null]>([
    ['begun when there was none', null],
    ['begun beside another one', randomUUID()],
  ])('ENR-1: %s cannot take the place of one that became active since', async (_, replaces) => {
    const user = await enrolledUser(server, world);
    const self = await selfOf(server, world, user.id);
    const begun = await beginTotp(self, { currentCode: right(user) });
    // As if it had been read before the other became active, and written after.
    await server.database.pool.query(
      'update pending_auth_factors set replaces = $3 where tenant_id = $1 and user_id = $2',
      [world.tenantId, user.id, replaces],
    );
    expect(await verify(self, right(begun))).toMatchObject({ code: 'INVALID_CODE' });
    await expectOneFactor(user.id, [user.factorId]);
    server.clock.advance(30);
    expect(await verify(world.browser, right(user), await startToken(world, user.id))).toMatchObject({
      __typename: 'FactorVerified',
    });
  });

  test('ENR-1: expires with its step, or after ten minutes in self-service', async () => {
    const userId = uniqueId('user');
    const mfaToken = await startToken(world, userId);
    const self = await selfOf(server, world, userId);
    const inStep = await beginTotp(world.browser, { mfaToken });
    const own = await beginTotp(self, {});
    for (const { expiresAt } of [inStep, own]) {
      expect(Math.abs(Date.parse(expiresAt) - server.clock.now().getTime() - 600_000)).toBeLessThan(5_000);
    }
    server.clock.advance(601);
    expect(await verify(world.browser, right(inStep), mfaToken)).toMatchObject({ code: 'INVALID_MFA_TOKEN' });
    expect(await verify(self, right(own))).toMatchObject({ code: 'INVALID_CODE' });
    expect((await mfaOf(world, userId)).factors).toEqual([]);
    const again = await beginTotp(self, {});
    expect(again.secret).not.toBe(own.secret);
    expect(await verify(self, wrongCode(again.secret, server.clock.now()))).toMatchObject({
      attemptsRemaining: 4,
    });
    expect(await verify(self, right(again))).toMatchObject({ factor: { id: again.factor.id } });
  });
});
