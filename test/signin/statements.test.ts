import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { VerifyRecoveryCodeDocument } from '../generated/documents.ts';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt, wrongCode } from '../setup/totp.ts';
import { statementsOf } from '../tenancy/statements.ts';
import {
  beginTotp,
  enrolledUser,
  finishChallenge,
  finishEnrollment,
  type SignInWorld,
  signInWorld,
  start,
  startToken,
  verify,
} from './user-agent.ts';

/*
 * Statements that reach the database, BEGIN and COMMIT included. Each is a round trip that a user
 * waits for, so the numbers are exact: one more is to be noticed.
 */

let server: TestServer;
let world: SignInWorld;
beforeAll(async () => {
  server = await startTestServer();
  world = await signInWorld(server);
});
afterAll(() => server.stop());

const code = (secret: string) => codeAt(secret, server.clock.now());

/** Runs a call whose answer must be as told, and counts its statements. */
async function countOf(call: () => Promise<object>, answer: object): Promise<number> {
  let got: object = {};
  const statements = await statementsOf(async () => {
    got = await call();
  });
  expect(got).toMatchObject(answer);
  return statements.length;
}

describe('startMfa takes 2 statements', () => {
  const own = (policy: object) => signInWorld(server, { policy });

  test('where the user is enrolled', async () => {
    const user = await enrolledUser(server, world);
    expect(await countOf(() => start(world, user.id), { reason: 'ENROLLED' })).toBe(2);
  });

  test('where enrollment is required, of a user never seen and of one known', async () => {
    const userId = uniqueId('user');
    for (let n = 0; n < 2; n += 1) {
      expect(await countOf(() => start(world, userId), { reason: 'ENROLLMENT_REQUIRED' })).toBe(2);
    }
  });

  test('within the grace period', async () => {
    const graceful = await own({ totpEnabled: true, enrollment: 'REQUIRED', gracePeriodDays: 7 });
    const userId = uniqueId('user');
    for (let n = 0; n < 2; n += 1) {
      expect(await countOf(() => start(graceful, userId), { reason: 'GRACE_PERIOD' })).toBe(2);
    }
  });

  test('where nothing is asked for', async () => {
    const optional = await own({ totpEnabled: true });
    const off = await own({ totpEnabled: false });
    const userId = uniqueId('user');
    expect(await countOf(() => start(optional, userId), { reason: 'ENROLLMENT_OPTIONAL' })).toBe(2);
    expect(await countOf(() => start(off, userId), { reason: 'MFA_NOT_ENABLED' })).toBe(2);
    expect(
      await countOf(() => start(world, userId, { identityProvider: 'EXTERNAL' }), {
        reason: 'EXTERNAL_IDENTITY_PROVIDER',
      }),
    ).toBe(2);
  });
});

test('with an idempotency key it takes 2 as well, and 4 repeated', async () => {
  const input = { idempotencyKey: uniqueId('key') };
  const userId = uniqueId('user');
  expect(await countOf(() => start(world, userId, input), { reason: 'ENROLLMENT_REQUIRED' })).toBe(2);
  expect(await countOf(() => start(world, userId, input), { reason: 'ENROLLMENT_REQUIRED' })).toBe(4);
});

describe('a TOTP verification takes 3 statements', () => {
  test('with a right code and with a wrong one', async () => {
    const user = await enrolledUser(server, world);
    const mfaToken = await startToken(world, user.id);
    const wrong = wrongCode(user.secret, server.clock.now());
    const verifying = (typed: string) => () => verify(world.browser, typed, mfaToken);
    expect(await countOf(verifying(wrong), { code: 'INVALID_CODE' })).toBe(3);
    expect(await countOf(verifying(code(user.secret)), { __typename: 'FactorVerified' })).toBe(3);
    // Used: no other statements than for a wrong one.
    expect(await countOf(verifying(code(user.secret)), { code: 'INVALID_CODE' })).toBe(3);
  });

  test('with a wrong code that begins a wait, and during one', async () => {
    const user = await enrolledUser(server, world);
    const mfaToken = await startToken(world, user.id);
    const guessing = () => verify(world.browser, wrongCode(user.secret, server.clock.now()), mfaToken);
    for (let left = 4; left >= 0; left -= 1) {
      expect(await countOf(guessing, { attemptsRemaining: left })).toBe(3);
    }
    // Why, and that it was tried.
    expect(await countOf(guessing, { code: 'TOO_MANY_ATTEMPTS' })).toBe(4);
  });

  test('that confirms an enrollment, with a right code and with a wrong one', async () => {
    const mfaToken = await startToken(world, uniqueId('user'));
    const { secret } = await beginTotp(world.browser, { mfaToken });
    const wrong = wrongCode(secret, server.clock.now());
    const confirming = (typed: string) => () => verify(world.browser, typed, mfaToken);
    expect(await countOf(confirming(wrong), { code: 'INVALID_CODE' })).toBe(3);
    expect(await countOf(confirming(code(secret)), { recoveryCode: expect.any(String) })).toBe(3);
  });
});

test('a recovery code takes 3 statements, right or wrong', async () => {
  const user = await enrolledUser(server, world);
  const mfaToken = await startToken(world, user.id);
  const redeeming = (recoveryCode: string) => async () => {
    const { data } = await world.browser.call(VerifyRecoveryCodeDocument, {
      input: { mfaToken, recoveryCode },
    });
    return data.verifyRecoveryCodeAuthFactorChallenge;
  };
  expect(await countOf(redeeming('0000-0000-0000-0000-0000'), { code: 'INVALID_CODE' })).toBe(3);
  expect(await countOf(redeeming(user.recoveryCode ?? ''), { __typename: 'FactorVerified' })).toBe(3);
});

describe('finishing takes 2 statements', () => {
  test('of an enrollment', async () => {
    const mfaToken = await startToken(world, uniqueId('user'));
    const { secret } = await beginTotp(world.browser, { mfaToken });
    await verify(world.browser, code(secret), mfaToken);
    expect(await countOf(() => finishEnrollment(world, mfaToken), { __typename: 'MfaCompleted' })).toBe(2);
  });

  test('of a challenge; 1 where there is nothing to finish', async () => {
    const user = await enrolledUser(server, world);
    const mfaToken = await startToken(world, user.id);
    expect(await countOf(() => finishChallenge(world, mfaToken), { code: 'MFA_NOT_SATISFIED' })).toBe(1);
    await verify(world.browser, code(user.secret), mfaToken);
    expect(await countOf(() => finishChallenge(world, mfaToken), { __typename: 'MfaCompleted' })).toBe(2);
    expect(await countOf(() => finishChallenge(world, mfaToken), { code: 'INVALID_MFA_TOKEN' })).toBe(1);
  });
});
