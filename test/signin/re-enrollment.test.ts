import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { countersOf, factorRows } from '../factor/agent.ts';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt, wrongCode } from '../setup/totp.ts';
import { introspect, newRecoveryCode, redeem, selfOf, setPolicy } from './step-tools.ts';
import {
  beginTotp,
  type EnrolledUser,
  enroll,
  enrolledUser,
  finishChallenge,
  finishEnrollment,
  mfaOf,
  type SignInWorld,
  signInWorld,
  start,
  startToken,
  verify,
} from './user-agent.ts';

/* Enrolling anew, taking recovery codes, and what policies have to do with both. */

let server: TestServer;
let world: SignInWorld;
let user: EnrolledUser;
beforeAll(async () => {
  server = await startTestServer();
  server.clock.fix(new Date());
});
beforeEach(async () => {
  world = await signInWorld(server);
  user = await enrolledUser(server, world);
});
afterAll(() => server.stop());

const right = (secret = user.secret) => codeAt(secret, server.clock.now());
const wrong = (secret = user.secret) => wrongCode(secret, server.clock.now());
const nextCode = () => server.clock.advance(30);
const verified = { __typename: 'FactorVerified' };
const notAllowed = { code: 'FACTOR_NOT_ALLOWED' };
const stepUp = { code: 'STEP_UP_REQUIRED' };

describe('enrolling anew inside a challenge', () => {
  test('asks for a current code, and spends it', async () => {
    const mfaToken = await startToken(world, user.id);
    expect(await enroll(world.browser, { mfaToken })).toMatchObject(stepUp);
    expect(await enroll(world.browser, { mfaToken, currentCode: wrong() })).toMatchObject({
      code: 'INVALID_CODE',
      attemptsRemaining: 4,
    });
    const begun = await beginTotp(world.browser, { mfaToken, currentCode: right() });
    expect(begun.factor).toMatchObject({ status: 'PENDING' });
    const other = await startToken(world, user.id);
    expect(await verify(world.browser, right(), other)).toMatchObject({ code: 'INVALID_CODE' });
  });

  test('does not satisfy the challenge, neither begun nor confirmed; a code of the new one does', async () => {
    const mfaToken = await startToken(world, user.id);
    const begun = await beginTotp(world.browser, { mfaToken, currentCode: right() });
    expect(await finishChallenge(world, mfaToken)).toMatchObject({ code: 'MFA_NOT_SATISFIED' });
    expect(await verify(world.browser, right(begun.secret), mfaToken)).toMatchObject(verified);
    expect(await introspect(world.browser, mfaToken)).toMatchObject({ satisfied: false });
    expect(await finishChallenge(world, mfaToken)).toMatchObject({ code: 'MFA_NOT_SATISFIED' });
    nextCode();
    expect(await verify(world.browser, right(), mfaToken)).toMatchObject({ code: 'INVALID_CODE' });
    expect(await verify(world.browser, right(begun.secret), mfaToken)).toMatchObject(verified);
    expect(await finishChallenge(world, mfaToken)).toMatchObject({ amr: ['otp'] });
  });

  test('answers the same secret again in the same step, without a further code', async () => {
    const mfaToken = await startToken(world, user.id);
    const begun = await beginTotp(world.browser, { mfaToken, currentCode: right() });
    expect(await enroll(world.browser, { mfaToken })).toMatchObject({ secret: begun.secret });
    expect(await enroll(world.browser, { mfaToken: await startToken(world, user.id) })).toMatchObject(stepUp);
  });

  test('needs no code once a recovery code satisfied it, and ends with a recovery code that is new', async () => {
    const mfaToken = await startToken(world, user.id);
    await redeem(world.browser, mfaToken, user.recoveryCode);
    const begun = await beginTotp(world.browser, { mfaToken });
    const confirmed = await verify(world.browser, right(begun.secret), mfaToken);
    expect(confirmed).toMatchObject({ recoveryCode: expect.any(String) });
    expect(await finishChallenge(world, mfaToken)).toMatchObject({
      amr: ['recovery'],
      recoveryCodeState: 'ACTIVE',
    });
  });
});

describe('a current code that is not asked for', () => {
  test('is neither looked at nor counted where there is nothing to prove', async () => {
    const id = uniqueId('user');
    const mfaToken = await startToken(world, id);
    const begun = await enroll(world.browser, { mfaToken, currentCode: '000000' });
    expect(begun).toMatchObject({ __typename: 'TotpEnrollment' });
    expect(await countersOf(server, world.tenantId, id)).toMatchObject({ totp_failures: 0 });
  });

  test('is neither looked at nor spent in a step that a recovery code satisfied', async () => {
    const mfaToken = await startToken(world, user.id);
    await redeem(world.browser, mfaToken, user.recoveryCode);
    await enroll(world.browser, { mfaToken, currentCode: right() });
    await newRecoveryCode(world.browser, { mfaToken, currentCode: wrong() });
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({ totp_failures: 0 });
    expect(await verify(world.browser, right(), await startToken(world, user.id))).toMatchObject(verified);
  });

  test('THR-1: a code that is sent with nothing begun counts for the user', async () => {
    const id = uniqueId('user');
    const mfaToken = await startToken(world, id);
    expect(await verify(world.browser, '000000', mfaToken)).toMatchObject({ attemptsRemaining: 4 });
    expect(await countersOf(server, world.tenantId, id)).toMatchObject({ totp_failures: 1 });
  });
});

describe('a recovery code', () => {
  test('is taken by who has an authenticator, and by nobody else', async () => {
    const id = uniqueId('user');
    const self = await selfOf(server, world, id);
    const mfaToken = await startToken(world, id);
    await beginTotp(self, {});
    expect(await newRecoveryCode(self, {})).toMatchObject(stepUp);
    expect(await newRecoveryCode(self, { currentCode: '000000' })).toMatchObject(stepUp);
    expect(await newRecoveryCode(world.browser, { mfaToken })).toMatchObject(stepUp);
    expect(await factorRows(server, world.tenantId, id)).toEqual([]);
  });

  test('asks for a current code in self-service, in an enrollment, and in a challenge done with the authenticator', async () => {
    const challenge = await startToken(world, user.id);
    await verify(world.browser, right(), challenge);
    const self = await selfOf(server, world, user.id);
    const id = uniqueId('user');
    const mfaToken = await startToken(world, id);
    const begun = await beginTotp(world.browser, { mfaToken });
    await verify(world.browser, right(begun.secret), mfaToken);
    expect(await newRecoveryCode(self, {})).toMatchObject(stepUp);
    expect(await newRecoveryCode(world.browser, { mfaToken: challenge })).toMatchObject(stepUp);
    expect(await newRecoveryCode(world.browser, { mfaToken })).toMatchObject(stepUp);
    nextCode();
    const currentCode = right(begun.secret);
    expect(await newRecoveryCode(world.browser, { mfaToken, currentCode })).toMatchObject({
      factor: { type: 'RECOVERY_CODE', status: 'ACTIVE' },
    });
    expect(await finishEnrollment(world, mfaToken)).toMatchObject({ recoveryCodeState: 'ACTIVE' });
  });

  test('that was used is told by the finish, unless a new one was taken in the step', async () => {
    const first = await startToken(world, user.id);
    await redeem(world.browser, first, user.recoveryCode);
    expect(await finishChallenge(world, first)).toMatchObject({ recoveryCodeState: 'USED' });
    nextCode();
    const self = await selfOf(server, world, user.id);
    const issued = await newRecoveryCode(self, { currentCode: right() });
    const second = await startToken(world, user.id);
    await redeem(world.browser, second, 'recoveryCode' in issued ? issued.recoveryCode : null);
    await newRecoveryCode(world.browser, { mfaToken: second });
    expect(await finishChallenge(world, second)).toMatchObject({ recoveryCodeState: 'ACTIVE' });
  });

  test('is not issued where the policy has none; switched on later, it is offered and not demanded', async () => {
    const own = await signInWorld(server, { policy: { totpEnabled: true, enrollment: 'REQUIRED' } });
    const plain = await enrolledUser(server, own);
    expect(plain.recoveryCode).toBeNull();
    expect((await mfaOf(own, plain.id)).recoveryCodeState).toBe('NONE');
    const self = await selfOf(server, own, plain.id);
    expect(await newRecoveryCode(self, { currentCode: right(plain.secret) })).toMatchObject(notAllowed);
    await setPolicy(own, { recoveryCodesEnabled: true });
    const mfaToken = await startToken(own, plain.id);
    expect(await introspect(own.browser, mfaToken)).toMatchObject({ challengeWith: ['TOTP'] });
    // The code that was not allowed for anything was not spent either.
    expect(await verify(own.browser, right(plain.secret), mfaToken)).toMatchObject(verified);
    expect(await finishChallenge(own, mfaToken)).toMatchObject({ recoveryCodeState: 'NONE' });
    nextCode();
    expect(await newRecoveryCode(self, { currentCode: right(plain.secret) })).toMatchObject({
      recoveryCode: expect.any(String),
    });
  });

  test('REC-2: dies when the user enrolls anew while the policy has none, and is not revived', async () => {
    await setPolicy(world, { recoveryCodesEnabled: false });
    const self = await selfOf(server, world, user.id);
    const begun = await beginTotp(self, { currentCode: right() });
    expect(await verify(self, right(begun.secret))).toMatchObject({ recoveryCode: null });
    await setPolicy(world, { recoveryCodesEnabled: true });
    expect((await mfaOf(world, user.id)).recoveryCodeState).toBe('NONE');
    const mfaToken = await startToken(world, user.id);
    expect(await redeem(world.browser, mfaToken, user.recoveryCode)).toMatchObject({ code: 'INVALID_CODE' });
  });
});

describe('STEP-3: the policy of now', () => {
  const off = { totpEnabled: false, recoveryCodesEnabled: false, enrollment: 'OPTIONAL' as const };

  test('with TOTP off begins nothing and takes no code, in a step or outside; none is counted or spent', async () => {
    const mfaToken = await startToken(world, user.id);
    const self = await selfOf(server, world, user.id);
    await setPolicy(world, off);
    for (const [caller, input] of [
      [world.browser, { mfaToken }],
      [self, {}],
    ] as const) {
      expect(await enroll(caller, { ...input, currentCode: wrong() })).toMatchObject(notAllowed);
      expect(await newRecoveryCode(caller, { ...input, currentCode: right() })).toMatchObject(notAllowed);
      expect(await verify(caller, right(), 'mfaToken' in input ? input.mfaToken : undefined)).toMatchObject(
        notAllowed,
      );
    }
    expect(await redeem(world.browser, mfaToken, user.recoveryCode)).toMatchObject(notAllowed);
    await setPolicy(world, { totpEnabled: true, recoveryCodesEnabled: true });
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({ totp_failures: 0 });
    expect(await verify(world.browser, right(), mfaToken)).toMatchObject(verified);
  });

  test.each(['enrolls', 'confirms'])(
    'with recovery codes off, a step that one satisfied %s no new authenticator',
    async (act) => {
      const mfaToken = await startToken(world, user.id);
      await redeem(world.browser, mfaToken, user.recoveryCode);
      const begun = act === 'confirms' ? await beginTotp(world.browser, { mfaToken }) : null;
      await setPolicy(world, { recoveryCodesEnabled: false });
      const answer = begun
        ? await verify(world.browser, right(begun.secret), mfaToken)
        : await enroll(world.browser, { mfaToken });
      expect(answer).toMatchObject(begun ? notAllowed : stepUp);
      expect((await factorRows(server, world.tenantId, user.id))[0]).toMatchObject({ id: user.factorId });
      await setPolicy(world, { recoveryCodesEnabled: true });
      const { secret } = begun ?? (await beginTotp(world.browser, { mfaToken }));
      expect(await verify(world.browser, right(secret), mfaToken)).toMatchObject(verified);
    },
  );

  test('made optional once the user has enrolled, it lets the enrollment finish', async () => {
    const mfaToken = await startToken(world, uniqueId('user'));
    const begun = await beginTotp(world.browser, { mfaToken });
    await verify(world.browser, right(begun.secret), mfaToken);
    await setPolicy(world, { enrollment: 'OPTIONAL' });
    expect(await finishEnrollment(world, mfaToken)).toMatchObject({ amr: ['otp'] });
  });
});

describe('startMfa that asks for nothing', () => {
  test.each([
    ['through an external identity provider', { enrollment: 'REQUIRED' }, { identityProvider: 'EXTERNAL' }],
    ['where MFA is not enabled', { totpEnabled: false, recoveryCodesEnabled: false }, {}],
    ['where enrollment is optional', { enrollment: 'OPTIONAL' }, {}],
  ] as const)('%s learns of the user, and starts no grace', async (_, policy, input) => {
    const own = await signInWorld(server, { policy: { totpEnabled: true } });
    await setPolicy(own, { ...policy, gracePeriodDays: 7 });
    const id = uniqueId('user');
    expect(await start(own, id, input)).toMatchObject({ status: 'AUTHENTICATED', enrollmentDueAt: null });
    const { rows } = await server.database.pool.query(
      'select account_name, enrollment_required_at from users where tenant_id = $1 and id = $2',
      [own.tenantId, id],
    );
    expect(rows).toEqual([{ account_name: `${id}@acme.test`, enrollment_required_at: null }]);
  });
});
