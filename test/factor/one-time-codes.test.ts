import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { VerifyTotpDocument } from '../generated/documents.ts';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import {
  beginTotp,
  type EnrolledUser,
  enroll,
  enrolledUser,
  type SignInWorld,
  signInWorld,
  startToken,
  verify,
} from '../signin/user-agent.ts';
import { countersOf, deleteFactor, openTokens, renewed, selfOf, tally } from './agent.ts';

let server: TestServer;
let world: SignInWorld;
beforeAll(async () => {
  server = await startTestServer();
  // The middle of a time step: what a test takes does not reach the next.
  server.clock.fix(new Date(Math.floor(Date.now() / 30_000) * 30_000 + 15_000));
  world = await signInWorld(server);
});
beforeEach(async () => {
  world = await renewed(server, world);
});
afterAll(() => server.stop());

const stepSeconds = 30;
const code = (user: Pick<EnrolledUser, 'secret'>, steps = 0) =>
  codeAt(user.secret, server.clock.now(), steps);

describe('a TOTP code', () => {
  test.each([
    [-3, 'INVALID_CODE'],
    [-2, 'INVALID_CODE'],
    [-1, 'FactorVerified'],
    [0, 'FactorVerified'],
    [1, 'INVALID_CODE'],
    [2, 'INVALID_CODE'],
    [3, 'INVALID_CODE'],
  ])('OTP-1: of %d steps from now is answered %s', async (steps, answer) => {
    const user = await enrolledUser(server, world);
    server.clock.advance(5 * stepSeconds);
    const mfaToken = await startToken(world, user.id);
    expect(tally([await verify(world.browser, code(user, steps), mfaToken)])).toEqual({ [answer]: 1 });
  });

  test('OTP-1: works once, and takes the older ones of the window with it', async () => {
    const user = await enrolledUser(server, world);
    server.clock.advance(5 * stepSeconds);
    const [mfaToken, other] = (await openTokens(world, user.id, 2)) as [string, string];
    expect(await verify(world.browser, code(user), mfaToken)).toMatchObject({ __typename: 'FactorVerified' });
    expect(await verify(world.browser, code(user), mfaToken)).toMatchObject({ code: 'INVALID_CODE' });
    expect(await verify(world.browser, code(user), other)).toMatchObject({ code: 'INVALID_CODE' });
    expect(await verify(world.browser, code(user, -1), other)).toMatchObject({ code: 'INVALID_CODE' });
    server.clock.advance(stepSeconds);
    expect(await verify(world.browser, code(user, -1), other)).toMatchObject({ code: 'INVALID_CODE' });
    expect(await verify(world.browser, code(user), other)).toMatchObject({ __typename: 'FactorVerified' });
  });

  test('OTP-1: of the step before leaves the current one unspent', async () => {
    const user = await enrolledUser(server, world);
    server.clock.advance(5 * stepSeconds);
    const mfaToken = await startToken(world, user.id);
    expect(await verify(world.browser, code(user, -1), mfaToken)).toMatchObject({
      __typename: 'FactorVerified',
    });
    expect(await verify(world.browser, code(user), mfaToken)).toMatchObject({ __typename: 'FactorVerified' });
  });

  test('OTP-1: is spent once for all uses: challenge, step-up and deletion', async () => {
    const user = await enrolledUser(server, world);
    const self = await selfOf(server, world, user.id);
    await verify(world.browser, code(user), await startToken(world, user.id));
    expect(await enroll(self, { currentCode: code(user) })).toMatchObject({ code: 'INVALID_CODE' });
    expect(await deleteFactor(self, user.factorId, code(user))).toMatchObject({ code: 'INVALID_CODE' });
    server.clock.advance(stepSeconds);
    expect(await enroll(self, { currentCode: code(user) })).toMatchObject({ __typename: 'TotpEnrollment' });
    expect(await verify(world.browser, code(user), await startToken(world, user.id))).toMatchObject({
      code: 'INVALID_CODE',
    });
  });

  test('OTP-1: that confirmed a factor is spent by it', async () => {
    const userId = uniqueId('user');
    const mfaToken = await startToken(world, userId);
    const begun = await beginTotp(world.browser, { mfaToken });
    await verify(world.browser, code(begun), mfaToken);
    const next = await startToken(world, userId);
    expect(await verify(world.browser, code(begun), next)).toMatchObject({ code: 'INVALID_CODE' });
    expect(await verify(world.browser, code(begun, -1), next)).toMatchObject({ code: 'INVALID_CODE' });
    server.clock.advance(stepSeconds);
    expect(await verify(world.browser, code(begun), next)).toMatchObject({ __typename: 'FactorVerified' });
  });

  test('OTP-1: sent four times at once is accepted once, in every round', async () => {
    const user = await enrolledUser(server, world);
    for (let round = 0; round < 8; round += 1) {
      const tokens = await openTokens(world, user.id, 4);
      const answers = await Promise.all(tokens.map((token) => verify(world.browser, code(user), token)));
      expect(tally(answers)).toEqual({ FactorVerified: 1, INVALID_CODE: 3 });
      server.clock.advance(stepSeconds);
      // The next right code clears what the losers of the round counted.
      await verify(world.browser, code(user), await startToken(world, user.id));
      server.clock.advance(stepSeconds);
    }
  });

  test('OTP-2: with the clock gone back: refused, counted, nothing replayed, nothing broken', async () => {
    const user = await enrolledUser(server, world);
    server.clock.advance(10 * stepSeconds);
    const mfaToken = await startToken(world, user.id);
    await verify(world.browser, code(user), mfaToken);
    const spent = code(user);
    server.clock.advance(-5 * stepSeconds);
    for (const replayed of [spent, code(user), code(user, -1)]) {
      const answer = await world.browser.call(VerifyTotpDocument, { input: { mfaToken, code: replayed } });
      expect(answer).toMatchObject({ status: 200, errors: [] });
      expect(answer.data.verifyTotpAuthFactorChallenge).toMatchObject({ code: 'INVALID_CODE' });
    }
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({ totp_failures: 3 });
    server.clock.advance(6 * stepSeconds);
    expect(await verify(world.browser, spent, mfaToken)).toMatchObject({ code: 'INVALID_CODE' });
    expect(await verify(world.browser, code(user), mfaToken)).toMatchObject({ __typename: 'FactorVerified' });
  });
});

describe('a malformed code', () => {
  const shifted = (text: string, zero: number) =>
    [...text].map((digit) => String.fromCodePoint(zero + Number(digit))).join('');
  const malformed: [string, (right: string) => string][] = [
    ['a space before', (right) => ` ${right}`],
    ['a space behind', (right) => `${right} `],
    ['a space inside', (right) => `${right.slice(0, 3)} ${right.slice(3)}`],
    ['a hyphen inside', (right) => `${right.slice(0, 3)}-${right.slice(3)}`],
    ['a no-break space', (right) => `${right}\u00a0`],
    ['full-width digits', (right) => shifted(right, 0xff10)],
    ['Arabic-Indic digits', (right) => shifted(right, 0x0660)],
    ['mathematical digits', (right) => shifted(right, 0x1d7ce)],
    ['a digit too few', (right) => right.slice(0, 5)],
    ['a digit too many', (right) => `${right}0`],
    ['a digit before', (right) => `0${right}`],
    ['twice', (right) => right + right],
    ['nothing', () => ''],
    ['letters', () => 'abcdef'],
    ['a plus', (right) => `+${right.slice(1)}`],
    ['a minus', (right) => `-${right.slice(1)}`],
    ['an exponent', () => '1e0005'],
    ['hexadecimal', () => '0x1234'],
    ['a newline behind', (right) => `${right}\n`],
    ['a newline before', (right) => `\n${right}`],
    ['a NUL behind', (right) => `${right}\u0000`],
    ['a NUL inside', (right) => `${right.slice(0, 3)}\u0000${right.slice(3)}`],
    ['half of a surrogate pair', (right) => `${right.slice(1)}\ud800`],
    ['10 KB', (right) => right.repeat(1_707)],
  ];

  let user: EnrolledUser;
  beforeAll(async () => {
    user = await enrolledUser(server, world);
  });

  test.each(malformed)(
    'OTP-3: of %s is a wrong code: counted, and the right one is not spent',
    async (_, of) => {
      const mfaToken = await startToken(world, user.id);
      const answer = await world.browser.call(VerifyTotpDocument, {
        input: { mfaToken, code: of(code(user)) },
      });
      expect(answer).toMatchObject({ status: 200, errors: [] });
      expect(answer.data.verifyTotpAuthFactorChallenge).toMatchObject({
        code: 'INVALID_CODE',
        attemptsRemaining: 4,
      });
      expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({ totp_failures: 1 });
      expect(await verify(world.browser, code(user), mfaToken)).toMatchObject({
        __typename: 'FactorVerified',
      });
      server.clock.advance(stepSeconds);
    },
  );

  test.each(malformed)('OTP-3: of %s is as wrong for confirming, stepping up and deleting', async (_, of) => {
    const fresh = await enrolledUser(server, world);
    const self = await selfOf(server, world, fresh.id);
    expect(await enroll(self, { currentCode: of(code(fresh)) })).toMatchObject({ attemptsRemaining: 4 });
    expect(await deleteFactor(self, fresh.factorId, of(code(fresh)))).toMatchObject({ attemptsRemaining: 3 });
    const begun = await beginTotp(self, { currentCode: code(fresh) });
    expect(await verify(self, of(code(begun)))).toMatchObject({ code: 'INVALID_CODE', attemptsRemaining: 4 });
    expect(await verify(self, code(begun))).toMatchObject({ factor: { id: begun.factor.id } });
  });
});
