import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { FinishChallengeDocument, IntrospectDocument, VerifyTotpDocument } from '../generated/documents.ts';
import { startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import {
  at,
  enrollElsewhere,
  introspect,
  newRecoveryCode,
  openConnections,
  redeem,
  selfOf,
  stepOf,
} from './step-tools.ts';
import {
  beginTotp,
  type EnrolledUser,
  enroll,
  enrolledUser,
  finishChallenge,
  finishEnrollment,
  type SignInWorld,
  signInWorld,
  startToken,
  verify,
} from './user-agent.ts';

let server: TestServer;
let world: SignInWorld;
let other: SignInWorld;
beforeAll(async () => {
  server = await startTestServer();
  world = await signInWorld(server, {
    tenants: 2,
    policy: { totpEnabled: true, recoveryCodesEnabled: true, enrollment: 'REQUIRED' },
  });
  other = await signInWorld(server);
});
afterAll(() => server.stop());

const code = (secret: string) => codeAt(secret, server.clock.now());
const refused = { code: 'INVALID_MFA_TOKEN' };

/** Everything that can be done with a token, none of it allowed. */
async function expectWorthless(own: SignInWorld, mfaToken: string, user?: EnrolledUser, caller?: TestCaller) {
  const browser = caller ?? own.browser;
  expect(await introspect(browser, mfaToken)).toBeNull();
  expect(await enroll(browser, { mfaToken })).toMatchObject(refused);
  expect(await enroll(browser, { mfaToken, currentCode: user ? code(user.secret) : '000000' })).toMatchObject(
    refused,
  );
  expect(await verify(browser, user ? code(user.secret) : '000000', mfaToken)).toMatchObject(refused);
  expect(await redeem(browser, mfaToken, user?.recoveryCode ?? null)).toMatchObject(refused);
  expect(await newRecoveryCode(browser, { mfaToken })).toMatchObject(refused);
  expect(await finishEnrollment(own, mfaToken)).toMatchObject(refused);
  expect(await finishChallenge(own, mfaToken)).toMatchObject(refused);
}

/** A step that only waits to be finished. */
async function satisfied(own: SignInWorld, user: EnrolledUser): Promise<string> {
  const mfaToken = await startToken(own, user.id);
  const verified = await verify(own.browser, code(user.secret), mfaToken);
  if (verified.__typename !== 'FactorVerified') throw new Error(`Refused: ${JSON.stringify(verified)}`);
  server.clock.advance(30);
  return mfaToken;
}

describe('STEP-1: a token', () => {
  test('that was never handed out, or not as this text, is worth nothing', async () => {
    const user = await enrolledUser(server, world);
    const token = await startToken(world, user.id);
    const [random = '', place = '', mark = ''] = token.split('.');
    const flipped = (text: string) => (text.startsWith('A') ? 'B' : 'A') + text.slice(1);
    const lastFlipped = (text: string) =>
      text.slice(0, -1) + String.fromCharCode(text.charCodeAt(text.length - 1) === 65 ? 66 : 65);
    const tokens = [
      '',
      '.',
      'x',
      'null',
      '../..',
      '\u0000',
      'é'.repeat(43),
      `${token}x`,
      ` ${token}`,
      `${token} `,
      `${token}\n`,
      random,
      `${random}.`,
      `.${place}`,
      `${random}.${random}`,
      `${place}.${random}`,
      `${random}..${place}`,
      `${flipped(random)}.${place}`,
      `${lastFlipped(random)}.${place}`,
      `${random}.${flipped(place)}`,
      `${random}.${lastFlipped(place)}`,
      `${random}.${place}=`,
      `${random}.${place}.`,
      `${random}.${place}.${mark}.${mark}`,
      `${flipped(random)}.${place}.${mark}`,
      `${random}=.${place}`,
      token.toUpperCase(),
      token.toLowerCase(),
      token.slice(0, -1),
      token.slice(1),
      `${randomBytes(32).toString('base64url')}.${place}`,
      `${random}.${Buffer.from(`${world.tenantIds[1]}`).toString('base64url')}`,
      `${random}.${Buffer.from("' or true --").toString('base64url')}`,
      `${random}.${Buffer.from('\u0000').toString('base64url')}`,
      (await stepOf(server, token)).id,
      'a'.repeat(5_000),
    ];
    for (const garbled of tokens) await expectWorthless(world, garbled, user);
    expect(await introspect(world.browser, token)).toMatchObject({ userId: user.id });
  });

  test('opens its step without its mark, or with another: that only tells behind whom it waits', async () => {
    const token = await startToken(world, uniqueId('user'));
    const [random, place] = token.split('.');
    for (const text of [`${random}.${place}`, `${random}.${place}.${'A'.repeat(22)}`]) {
      expect(await introspect(world.browser, text)).not.toBeNull();
    }
  });

  test('of an enrollment ends after ten minutes', async () => {
    const mfaToken = await startToken(world, uniqueId('user'));
    server.clock.advance(599);
    const { secret } = await beginTotp(world.browser, { mfaToken });
    expect(await introspect(world.browser, mfaToken)).not.toBeNull();
    server.clock.advance(1);
    expect(await verify(world.browser, code(secret), mfaToken)).toMatchObject(refused);
    await expectWorthless(world, mfaToken);
  });

  test('of a challenge ends after five minutes, also when it was satisfied', async () => {
    const user = await enrolledUser(server, world);
    const [open, done] = [await startToken(world, user.id), await satisfied(world, user)];
    server.clock.advance(269);
    expect(await introspect(world.browser, open)).toMatchObject({ satisfied: false });
    expect(await introspect(world.browser, done)).toMatchObject({ satisfied: true });
    server.clock.advance(1);
    await expectWorthless(world, open, user);
    await expectWorthless(world, done, user);
  });

  test('of an enrollment finishes no challenge, and takes no recovery code', async () => {
    const userId = uniqueId('user');
    const mfaToken = await startToken(world, userId);
    const { secret } = await beginTotp(world.browser, { mfaToken });
    const verified = await verify(world.browser, code(secret), mfaToken);
    const recovery = 'recoveryCode' in verified ? verified.recoveryCode : null;
    expect(await finishChallenge(world, mfaToken)).toMatchObject(refused);
    expect(await redeem(world.browser, mfaToken, recovery)).toMatchObject(refused);
    expect(await finishEnrollment(world, mfaToken)).toMatchObject({ __typename: 'MfaCompleted' });
    const challenge = await startToken(world, userId);
    expect(await redeem(world.browser, challenge, recovery)).toMatchObject({ __typename: 'FactorVerified' });
  });

  test('of a challenge finishes no enrollment', async () => {
    const user = await enrolledUser(server, world);
    const mfaToken = await satisfied(world, user);
    expect(await finishEnrollment(world, mfaToken)).toMatchObject(refused);
    expect(await finishChallenge(world, mfaToken)).toMatchObject({ __typename: 'MfaCompleted' });
  });

  test('of another user is not satisfied by a code of ones own', async () => {
    const [victim, thief] = [await enrolledUser(server, world), await enrolledUser(server, world)];
    const mfaToken = await startToken(world, victim.id);
    expect(await verify(world.browser, code(thief.secret), mfaToken)).toMatchObject({ code: 'INVALID_CODE' });
    expect(await redeem(world.browser, mfaToken, thief.recoveryCode)).toMatchObject({ code: 'INVALID_CODE' });
    expect(await finishChallenge(world, mfaToken)).toMatchObject({ code: 'MFA_NOT_SATISFIED' });
    const own = await satisfied(world, thief);
    expect(await finishChallenge(world, own)).toMatchObject({ userId: thief.id });
    expect(await introspect(world.browser, mfaToken)).toMatchObject({ satisfied: false });
  });

  test("finishes by its own application's sign-in service only", async () => {
    const user = await enrolledUser(server, world);
    const mfaToken = await satisfied(world, user);
    expect(await finishChallenge(other, mfaToken)).toMatchObject(refused);
    expect(await introspect(other.service, mfaToken)).toBeNull();
    const finishers = [
      await server.caller(),
      await server.caller({ applicationId: world.applicationId, tenantId: world.tenantId }),
      await selfOf(server, world, user.id),
    ];
    for (const finisher of finishers) {
      const { errors } = await finisher.call(FinishChallengeDocument, { input: { mfaToken } });
      expect(errors[0]?.extensions?.['code']).toBe('FORBIDDEN');
    }
    expect((await world.browser.call(FinishChallengeDocument, { input: { mfaToken } })).status).toBe(401);
    expect(await finishChallenge(world, mfaToken)).toMatchObject({ __typename: 'MfaCompleted' });
  });

  test('with the bearer of another user beside it is refused, with its own user it is not', async () => {
    const user = await enrolledUser(server, world);
    const mfaToken = await startToken(world, user.id);
    const strangers = [
      await selfOf(server, world, uniqueId('user')),
      await selfOf(server, at(world, world.tenantIds[1] as string), user.id),
      await selfOf(server, other, user.id),
    ];
    for (const stranger of strangers) {
      expect(await introspect(stranger, mfaToken)).toBeNull();
      expect(await verify(stranger, code(user.secret), mfaToken)).toMatchObject(refused);
      expect(await redeem(stranger, mfaToken, user.recoveryCode)).toMatchObject(refused);
      expect(await enroll(stranger, { mfaToken, currentCode: code(user.secret) })).toMatchObject(refused);
    }
    const self = await selfOf(server, world, user.id);
    expect(await verify(self, code(user.secret), mfaToken)).toMatchObject({ __typename: 'FactorVerified' });
  });

  test('with a bad bearer beside it is UNAUTHENTICATED, and no attempt is made', async () => {
    const user = await enrolledUser(server, world);
    const mfaToken = await startToken(world, user.id);
    const good = world.service.token ?? '';
    for (const bad of ['x', 'a.b.c', `${good.slice(0, -4)}AAAA`, mfaToken]) {
      const caller = server.callerWith(bad);
      const input = { mfaToken, code: code(user.secret) };
      expect((await caller.call(VerifyTotpDocument, { input })).status).toBe(401);
      expect((await caller.call(IntrospectDocument, { mfaToken })).status).toBe(401);
    }
    expect(await verify(world.browser, code(user.secret), mfaToken)).toMatchObject({
      __typename: 'FactorVerified',
    });
  });

  test('finishes once under 50 parallel calls', async () => {
    await openConnections(server);
    const user = await enrolledUser(server, world);
    for (let round = 0; round < 3; round += 1) {
      const mfaToken = await satisfied(world, user);
      const calls = Array.from({ length: 50 }, async () => {
        const { data, errors } = await world.service.call(FinishChallengeDocument, { input: { mfaToken } });
        return errors[0]?.extensions?.['code'] ?? data.verifyMfaChallenge.__typename;
      });
      const answers = await Promise.all(calls);
      expect(answers.filter((answer) => answer === 'MfaCompleted')).toHaveLength(1);
      // On a busy machine some are shed; none but one finishes.
      const others = new Set(answers.filter((answer) => answer !== 'UNAVAILABLE'));
      expect(others).toEqual(new Set(['MfaCompleted', 'InvalidMfaToken']));
    }
  }, 60_000);
});

describe('STEP-4: a step that a password thief left open', () => {
  test('cannot finish, enroll anew or confirm once the user has enrolled elsewhere', async () => {
    const userId = uniqueId('user');
    const thief = await startToken(world, userId);
    const begun = await beginTotp(world.browser, { mfaToken: thief });
    const secret = await enrollElsewhere(server, world, userId);
    expect(await verify(world.browser, code(begun.secret), thief)).toMatchObject(refused);
    await expectWorthless(world, thief);
    server.clock.advance(30);
    const mine = await startToken(world, userId);
    expect(await verify(world.browser, code(begun.secret), mine)).toMatchObject({ code: 'INVALID_CODE' });
    expect(await verify(world.browser, code(secret), mine)).toMatchObject({ __typename: 'FactorVerified' });
  });

  test('and that was satisfied first, cannot finish once the user has enrolled elsewhere', async () => {
    const userId = uniqueId('user');
    const first = await startToken(world, userId);
    const thief = await startToken(world, userId);
    const begun = await beginTotp(world.browser, { mfaToken: first });
    expect(await verify(world.browser, code(begun.secret), first)).toMatchObject({
      __typename: 'FactorVerified',
    });
    await expectWorthless(world, thief);
    server.clock.advance(30);
    const self = await selfOf(server, world, userId);
    const anew = await beginTotp(self, { currentCode: code(begun.secret) });
    expect(await verify(self, code(anew.secret))).toMatchObject({ __typename: 'FactorVerified' });
    await expectWorthless(world, first);
  });

  test('gains nothing from what was begun in self-service either', async () => {
    const userId = uniqueId('user');
    const self = await selfOf(server, world, userId);
    const begun = await beginTotp(self, {});
    await enrollElsewhere(server, world, userId);
    expect(await verify(self, code(begun.secret))).toMatchObject({ code: 'INVALID_CODE' });
    expect(await enroll(self, {})).toMatchObject({ code: 'STEP_UP_REQUIRED' });
  });

  test('and that was opened in the moment the user enrolled asks for the current code', async () => {
    const userId = uniqueId('user');
    const thief = await startToken(world, userId);
    const { id } = await stepOf(server, thief);
    await enrollElsewhere(server, world, userId);
    // As if startMfa had read before the enrollment and written after it.
    await server.database.pool.query('update mfa_steps set ended_at = null where id = $1', [id]);
    expect(await enroll(world.browser, { mfaToken: thief })).toMatchObject({ code: 'STEP_UP_REQUIRED' });
    expect(await newRecoveryCode(world.browser, { mfaToken: thief })).toMatchObject({
      code: 'STEP_UP_REQUIRED',
    });
    expect(await verify(world.browser, '000000', thief)).toMatchObject({ code: 'INVALID_CODE' });
    expect(await finishEnrollment(world, thief)).toMatchObject({ code: 'MFA_NOT_SATISFIED' });
  });
});
