import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startTestServer, type TestServer } from '../setup/harness.ts';
import { codeAt, wrongCode } from '../setup/totp.ts';
import {
  beginTotp,
  type EnrolledUser,
  enroll,
  enrolledUser,
  finishChallenge,
  mfaOf,
  type SignInWorld,
  signInWorld,
  start,
  startToken,
  verify,
} from '../signin/user-agent.ts';
import {
  countersOf,
  deleteFactor,
  failTotp,
  newRecoveryCode,
  openTokens,
  redeem,
  renewed,
  selfOf,
  tally,
} from './agent.ts';

let server: TestServer;
let world: SignInWorld;
let user: EnrolledUser;
beforeAll(async () => {
  server = await startTestServer();
  server.clock.fix(new Date());
  world = await signInWorld(server);
});
beforeEach(async () => {
  world = await renewed(server, world);
  user = await enrolledUser(server, world);
});
afterAll(() => server.stop());

const right = () => codeAt(user.secret, server.clock.now());
const wrong = () => wrongCode(user.secret, server.clock.now());
const retryAt = (waitSeconds: number) =>
  new Date(server.clock.now().getTime() + waitSeconds * 1000).toISOString();
const wrongRecoveryCode = '0000-0000-0000-0000-0000';
const clear = { totp_failures: 0, totp_locked_until: null };

/** A code in a step of its own, of a world whose tokens are fresh. */
async function tryOnce(code: string) {
  world = await renewed(server, world);
  return verify(world.browser, code, await startToken(world, user.id));
}

describe('guessing TOTP codes', () => {
  test('THR-1: of 100 guesses at once over 8 steps, 5 are looked at', async () => {
    const tokens = await openTokens(world, user.id, 8);
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        verify(world.browser, wrong(), tokens[n % tokens.length] as string),
      ),
    );
    expect(tally(answers)).toEqual({ INVALID_CODE: 5, TOO_MANY_ATTEMPTS: 95 });
    expect(answers.filter((answer) => 'retryAt' in answer && answer.retryAt === retryAt(30))).toHaveLength(
      95,
    );
    const remaining = answers.flatMap((answer) =>
      'attemptsRemaining' in answer ? [answer.attemptsRemaining] : [],
    );
    expect(remaining.sort()).toEqual([0, 1, 2, 3, 4]);
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({ totp_failures: 5 });
  });

  test('THR-1: the same when the guesses are spread over challenge, step-up and deletion', async () => {
    const self = await selfOf(server, world, user.id);
    const tokens = await openTokens(world, user.id, 4);
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) => {
        const mfaToken = tokens[n % tokens.length] as string;
        const ways = [
          () => verify(world.browser, wrong(), mfaToken),
          () => verify(self, wrong()),
          () => enroll(self, { currentCode: wrong() }),
          () => enroll(world.browser, { mfaToken, currentCode: wrong() }),
          () => deleteFactor(self, user.factorId, wrong()),
        ];
        return (ways[n % ways.length] as (typeof ways)[number])();
      }),
    );
    expect(tally(answers)).toEqual({ INVALID_CODE: 5, TOO_MANY_ATTEMPTS: 55 });
  });

  test('THR-1: five are free, then waits double from 30 s to 1 h, and after 50 the factor is disabled', async () => {
    for (let failures = 1; failures <= 50; failures += 1) {
      expect(await tryOnce(wrong())).toMatchObject({
        code: 'INVALID_CODE',
        attemptsRemaining: Math.max(0, 5 - failures),
      });
      if (failures < 5 || failures === 50) continue;
      const waitSeconds = Math.min(3600, 30 * 2 ** (failures - 5));
      const refused = { code: 'TOO_MANY_ATTEMPTS', retryAt: retryAt(waitSeconds) };
      expect(await mfaOf(world, user.id)).toMatchObject({ lockedUntil: retryAt(waitSeconds) });
      expect(await tryOnce(wrong())).toMatchObject(refused);
      server.clock.advance(waitSeconds - 1);
      expect(await tryOnce(right())).toMatchObject({ ...refused, retryAt: retryAt(1) });
      server.clock.advance(1);
    }
    server.clock.advance(24 * 3600);
    expect(await tryOnce(right())).toMatchObject({ code: 'INVALID_CODE', attemptsRemaining: 0 });
    expect(await mfaOf(world, user.id)).toMatchObject({
      state: 'ENROLLED',
      factors: [{ type: 'TOTP', status: 'DISABLED' }, { status: 'ACTIVE' }],
    });
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({ totp_failures: 50 });
  });

  test('THR-1: a code during a wait is neither looked at nor spent', async () => {
    for (let n = 0; n < 5; n += 1) await tryOnce(wrong());
    server.clock.advance(20);
    const code = right();
    expect(await tryOnce(code)).toMatchObject({ code: 'TOO_MANY_ATTEMPTS' });
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({ totp_failures: 5 });
    server.clock.advance(10);
    expect(await tryOnce(code)).toMatchObject({ __typename: 'FactorVerified' });
  });

  test('THR-1: success clears what was counted', async () => {
    for (let n = 0; n < 4; n += 1) await tryOnce(wrong());
    expect(await tryOnce(right())).toMatchObject({ __typename: 'FactorVerified' });
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject(clear);
    expect(await tryOnce(wrong())).toMatchObject({ attemptsRemaining: 4 });
  });

  test('THR-1: new tokens, new sign-ins and another server go on counting where the last one stopped', async () => {
    const other = await startTestServer({ clock: server.clock });
    const otherBrowser = other.callerWith(null);
    for (const attemptsRemaining of [4, 2, 0]) {
      const [mfaToken, second] = (await openTokens(world, user.id, 2)) as [string, string];
      expect(await verify(world.browser, wrong(), mfaToken)).toMatchObject({ attemptsRemaining });
      if (attemptsRemaining === 0) continue;
      expect(await verify(otherBrowser, wrong(), second)).toMatchObject({
        attemptsRemaining: attemptsRemaining - 1,
      });
    }
    const mfaToken = await startToken(world, user.id);
    expect(await verify(otherBrowser, right(), mfaToken)).toMatchObject({ code: 'TOO_MANY_ATTEMPTS' });
    await other.stop();
  });

  test('TEN-3: count for one tenant only, also where the user id is the same', async () => {
    const second = await signInWorld(server);
    const twin = await enrolledUser(server, second, user.id);
    for (let n = 0; n < 5; n += 1) await tryOnce(wrong());
    expect(await countersOf(server, second.tenantId, user.id)).toMatchObject(clear);
    const mfaToken = await startToken(second, twin.id);
    expect(await verify(second.browser, right(), mfaToken)).toMatchObject({ attemptsRemaining: 4 });
    const code = codeAt(twin.secret, server.clock.now());
    expect(await verify(second.browser, code, mfaToken)).toMatchObject({ __typename: 'FactorVerified' });
  });
});

describe('a factor that too many wrong codes disabled', () => {
  beforeEach(async () => {
    await failTotp(server, world, user, 50);
    server.clock.advance(3600);
    world = await renewed(server, world);
  });

  test('THR-1: still asks for its code in every sign-in, and takes none', async () => {
    expect(await start(world, user.id)).toMatchObject({
      status: 'MFA_CHALLENGE_REQUIRED',
      reason: 'ENROLLED',
    });
    const tokens = await openTokens(world, user.id, 5);
    const answers = await Promise.all(tokens.map((token) => verify(world.browser, right(), token)));
    expect(tally(answers)).toEqual({ INVALID_CODE: 5 });
    expect(await finishChallenge(world, tokens[0] as string)).toMatchObject({ code: 'MFA_NOT_SATISFIED' });
  });

  test('THR-1: cannot be enrolled around', async () => {
    const self = await selfOf(server, world, user.id);
    const mfaToken = await startToken(world, user.id);
    for (const [caller, token] of [
      [self, undefined],
      [world.browser, mfaToken],
    ] as const) {
      expect(await enroll(caller, { mfaToken: token })).toMatchObject({ code: 'STEP_UP_REQUIRED' });
      expect(await enroll(caller, { mfaToken: token, currentCode: right() })).toMatchObject({
        code: 'INVALID_CODE',
      });
    }
    expect(await deleteFactor(self, user.factorId, right())).toMatchObject({ code: 'INVALID_CODE' });
    expect(await mfaOf(world, user.id)).toMatchObject({ state: 'ENROLLED' });
  });

  test('THR-1: revives by enrolling anew in a step that a recovery code satisfied', async () => {
    const mfaToken = await startToken(world, user.id);
    await redeem(world.browser, mfaToken, user.recoveryCode as string);
    expect(await mfaOf(world, user.id)).toMatchObject({ factors: [{ status: 'DISABLED' }] });
    const begun = await beginTotp(world.browser, { mfaToken });
    const code = codeAt(begun.secret, server.clock.now());
    expect(await verify(world.browser, code, mfaToken)).toMatchObject({ factor: { status: 'ACTIVE' } });
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject(clear);
    server.clock.advance(30);
    expect(await verify(world.browser, codeAt(begun.secret, server.clock.now()), mfaToken)).toMatchObject({
      __typename: 'FactorVerified',
    });
  });

  test('THR-1: is gone once an administrator deleted it, and the next one starts from zero', async () => {
    await deleteFactor(world.admin, user.factorId);
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject(clear);
    user = await enrolledUser(server, world, user.id);
    expect(await tryOnce(wrong())).toMatchObject({ attemptsRemaining: 4 });
    expect(await tryOnce(right())).toMatchObject({ __typename: 'FactorVerified' });
  });
});

describe('recovery codes and attempts', () => {
  test('THR-1: an accepted recovery code ends the wait on TOTP, and leaves the total', async () => {
    for (let n = 0; n < 5; n += 1) await tryOnce(wrong());
    expect(await tryOnce(right())).toMatchObject({ code: 'TOO_MANY_ATTEMPTS' });
    await redeem(world.browser, await startToken(world, user.id), user.recoveryCode as string);
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({
      totp_failures: 5,
      totp_locked_until: null,
    });
    expect(await tryOnce(wrong())).toMatchObject({ code: 'INVALID_CODE', attemptsRemaining: 0 });
    expect(await tryOnce(right())).toMatchObject({ code: 'TOO_MANY_ATTEMPTS', retryAt: retryAt(60) });
    server.clock.advance(60);
    expect(await tryOnce(right())).toMatchObject({ __typename: 'FactorVerified' });
  });

  test('THR-1: of 60 guesses at a recovery code at once, 5 are looked at; TOTP is not held back by them', async () => {
    const tokens = await openTokens(world, user.id, 6);
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        redeem(world.browser, tokens[n % tokens.length] as string, wrongRecoveryCode),
      ),
    );
    expect(tally(answers)).toEqual({ INVALID_CODE: 5, TOO_MANY_ATTEMPTS: 55 });
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({
      ...clear,
      recovery_failures: 5,
    });
    expect(await tryOnce(right())).toMatchObject({ __typename: 'FactorVerified' });
    const mfaToken = await startToken(world, user.id);
    expect(await redeem(world.browser, mfaToken, user.recoveryCode as string)).toMatchObject({
      code: 'TOO_MANY_ATTEMPTS',
      retryAt: retryAt(30),
    });
    server.clock.advance(30);
    expect(await redeem(world.browser, mfaToken, user.recoveryCode as string)).toMatchObject({
      __typename: 'FactorVerified',
    });
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({
      recovery_failures: 0,
      recovery_locked_until: null,
    });
  });

  test('THR-1: after 50 wrong ones the recovery code is disabled, and a new one starts from zero', async () => {
    for (let failures = 1; failures <= 50; failures += 1) {
      server.clock.advance(3600);
      world = await renewed(server, world);
      const mfaToken = await startToken(world, user.id);
      expect(await redeem(world.browser, mfaToken, wrongRecoveryCode)).toMatchObject({
        attemptsRemaining: Math.max(0, 5 - failures),
      });
    }
    server.clock.advance(24 * 3600);
    world = await renewed(server, world);
    const mfaToken = await startToken(world, user.id);
    expect(await redeem(world.browser, mfaToken, user.recoveryCode as string)).toMatchObject({
      code: 'INVALID_CODE',
    });
    expect(await mfaOf(world, user.id)).toMatchObject({
      factors: [{ status: 'ACTIVE' }, { type: 'RECOVERY_CODE', status: 'DISABLED' }],
    });
    const self = await selfOf(server, world, user.id);
    const issued = await newRecoveryCode(self, { currentCode: right() });
    expect(await redeem(world.browser, mfaToken, issued)).toMatchObject({ __typename: 'FactorVerified' });
  });
});
