import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import {
  DeleteAuthFactorDocument,
  EnrollRecoveryCodeDocument,
  IntrospectDocument,
  UpdateApplicationMfaPolicyDocument,
  VerifyRecoveryCodeDocument,
} from '../generated/documents.ts';
import { publicUrl, startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt, wrongCode } from '../setup/totp.ts';
import {
  beginTotp,
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

let server: TestServer;
let world: SignInWorld;
beforeAll(async () => {
  server = await startTestServer();
  world = await signInWorld(server);
});
afterAll(() => server.stop());

const code = (secret: string, steps = 0) => codeAt(secret, server.clock.now(), steps);

async function redeem(caller: TestCaller, mfaToken: string, recoveryCode: string) {
  const { data } = await caller.call(VerifyRecoveryCodeDocument, { input: { mfaToken, recoveryCode } });
  return data.verifyRecoveryCodeAuthFactorChallenge;
}

describe('a sign-in', () => {
  test('enrolls a new user, shows the recovery code once, and ends in an assertion that the JWKS checks', async () => {
    const userId = uniqueId('user');
    const decision = await start(world, userId, { redirectUrl: 'https://app.test/done' });
    expect(decision).toMatchObject({
      status: 'MFA_ENROLLMENT_REQUIRED',
      reason: 'ENROLLMENT_REQUIRED',
      enrollmentDueAt: null,
    });
    const mfaToken = 'mfaToken' in decision ? (decision.mfaToken as string) : '';
    const begun = await beginTotp(world.browser, { mfaToken });
    expect(begun.factor).toMatchObject({ type: 'TOTP', status: 'PENDING', activatedAt: null });
    expect(begun.secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(await finishEnrollment(world, mfaToken)).toMatchObject({ code: 'MFA_NOT_SATISFIED' });
    expect(await verify(world.browser, code(begun.secret), mfaToken)).toMatchObject({
      factor: { id: begun.factor.id, status: 'ACTIVE' },
      recoveryCode: expect.stringMatching(/^([0-9A-HJKMNP-TV-Z]{4}-){4}[0-9A-HJKMNP-TV-Z]{4}$/),
    });
    const completed = await finishEnrollment(world, mfaToken);
    expect(completed).toMatchObject({
      userId,
      tenantId: world.tenantId,
      amr: ['otp'],
      recoveryCodeState: 'ACTIVE',
      redirectUrl: 'https://app.test/done',
    });
    const assertion = 'assertion' in completed ? completed.assertion : '';
    const keys = createRemoteJWKSet(new URL(`${server.url}/.well-known/jwks.json`));
    const { payload, protectedHeader } = await jwtVerify(assertion, keys, {
      issuer: publicUrl,
      audience: world.applicationId,
      typ: 'mfa-assertion+jwt',
      currentDate: server.clock.now(),
    });
    expect(protectedHeader.alg).toBe('ES256');
    expect(payload).toMatchObject({
      sub: userId,
      tenant_id: world.tenantId,
      amr: ['otp'],
      trigger: 'LOGIN',
      policy_source: 'APPLICATION',
      policy_version: 2,
    });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(120);
    expect((await server.callerWith(assertion).call('{ __typename }')).status).toBe(401);
  });

  test('challenges an enrolled user; a step finishes once', async () => {
    const user = await enrolledUser(server, world);
    expect(await start(world, user.id)).toMatchObject({
      status: 'MFA_CHALLENGE_REQUIRED',
      reason: 'ENROLLED',
    });
    const mfaToken = await startToken(world, user.id);
    const { data } = await world.browser.call(IntrospectDocument, { mfaToken });
    expect(data.introspectMfaToken).toMatchObject({
      status: 'MFA_CHALLENGE_REQUIRED',
      userId: user.id,
      challengeWith: ['TOTP', 'RECOVERY_CODE'],
      satisfied: false,
      tenant: { id: world.tenantId },
      effectivePolicy: { issuer: 'Acme' },
    });
    expect(await verify(world.browser, wrongCode(user.secret, server.clock.now()), mfaToken)).toMatchObject({
      code: 'INVALID_CODE',
      attemptsRemaining: 4,
    });
    expect(await verify(world.browser, code(user.secret), mfaToken)).toMatchObject({
      factor: { status: 'ACTIVE' },
    });
    expect(await finishChallenge(world, mfaToken)).toMatchObject({
      __typename: 'MfaCompleted',
      amr: ['otp'],
    });
    expect(await finishChallenge(world, mfaToken)).toMatchObject({ code: 'INVALID_MFA_TOKEN' });
    expect(await verify(world.browser, code(user.secret), mfaToken)).toMatchObject({
      code: 'INVALID_MFA_TOKEN',
    });
  });

  test('of a user who lost the phone: recovery code, re-enrollment in the same step, the old ones dead', async () => {
    const user = await enrolledUser(server, world);
    const mfaToken = await startToken(world, user.id);
    const typed = (user.recoveryCode as string).toLowerCase().replaceAll('-', ' ');
    expect(await redeem(world.browser, mfaToken, typed)).toMatchObject({ factor: { type: 'RECOVERY_CODE' } });
    const begun = await beginTotp(world.browser, { mfaToken });
    const confirmed = await verify(world.browser, code(begun.secret), mfaToken);
    expect(confirmed).toMatchObject({ factor: { id: begun.factor.id }, recoveryCode: expect.any(String) });
    expect(await finishChallenge(world, mfaToken)).toMatchObject({
      amr: ['recovery'],
      recoveryCodeState: 'ACTIVE',
    });

    server.clock.advance(60);
    const next = await startToken(world, user.id);
    expect(await verify(world.browser, code(user.secret), next)).toMatchObject({ code: 'INVALID_CODE' });
    expect(await redeem(world.browser, next, user.recoveryCode as string)).toMatchObject({
      code: 'INVALID_CODE',
    });
    const fresh = 'recoveryCode' in confirmed ? (confirmed.recoveryCode as string) : '';
    expect(await redeem(world.browser, next, fresh)).toMatchObject({ __typename: 'FactorVerified' });
    expect(await redeem(world.browser, next, fresh)).toMatchObject({ code: 'INVALID_CODE' });
    expect(await finishChallenge(world, next)).toMatchObject({
      amr: ['recovery'],
      recoveryCodeState: 'USED',
    });
  });

  test('of a user who lost both: an admin deletes the factor, the next sign-in enrolls', async () => {
    const user = await enrolledUser(server, world);
    const open = await startToken(world, user.id);
    const { data } = await world.admin.call(DeleteAuthFactorDocument, { input: { id: user.factorId } });
    expect(data.deleteAuthFactor).toMatchObject({
      user: { id: user.id, mfa: { state: 'OVERDUE', factors: [], recoveryCodeState: 'NONE' } },
    });
    expect(await verify(world.browser, code(user.secret), open)).toMatchObject({ code: 'INVALID_MFA_TOKEN' });
    expect(await start(world, user.id)).toMatchObject({ status: 'MFA_ENROLLMENT_REQUIRED' });
    await enrolledUser(server, world, user.id);
    expect(await mfaOf(world, user.id)).toMatchObject({ state: 'ENROLLED', recoveryCodeState: 'ACTIVE' });
  });
});

describe('a signed-in user', () => {
  test('enrolls by itself, re-enrolls with a current code only, and deletes its own factor likewise', async () => {
    const own = await signInWorld(server, { policy: { totpEnabled: true, recoveryCodesEnabled: true } });
    const userId = uniqueId('user');
    const self = await server.caller({
      sub: userId,
      applicationId: own.applicationId,
      tenantId: own.tenantId,
      scopes: [],
    });
    const first = await beginTotp(self, {});
    expect((await beginTotp(self, {})).secret).toBe(first.secret);
    expect(await verify(self, code(first.secret))).toMatchObject({ recoveryCode: expect.any(String) });
    expect(await enroll(self, {})).toMatchObject({ code: 'STEP_UP_REQUIRED' });
    expect(await enroll(self, { currentCode: code(first.secret) })).toMatchObject({ code: 'INVALID_CODE' });
    server.clock.advance(30);
    const second = await beginTotp(self, { currentCode: code(first.secret) });
    expect(second.secret).not.toBe(first.secret);
    expect(await enroll(self, {})).toMatchObject({ code: 'STEP_UP_REQUIRED' });
    expect(await verify(self, code(second.secret))).toMatchObject({ factor: { id: second.factor.id } });
    server.clock.advance(30);
    const { data: recovery } = await self.call(EnrollRecoveryCodeDocument, {
      input: { currentCode: code(second.secret) },
    });
    expect(recovery.enrollRecoveryCodeAuthFactor).toMatchObject({ recoveryCode: expect.any(String) });
    server.clock.advance(30);
    const remove = async (currentCode?: string) =>
      (await self.call(DeleteAuthFactorDocument, { input: { id: second.factor.id, currentCode } })).data
        .deleteAuthFactor;
    expect(await remove()).toMatchObject({ code: 'STEP_UP_REQUIRED' });
    expect(await remove(wrongCode(second.secret, server.clock.now()))).toMatchObject({
      attemptsRemaining: 4,
    });
    expect(await remove(code(second.secret))).toMatchObject({
      user: { mfa: { state: 'OPTIONAL', factors: [], recoveryCodeState: 'NONE' } },
    });
  });
});

describe('a factor type that the policy switches off', () => {
  test('locks nobody out and revives when it is switched on again', async () => {
    const own = await signInWorld(server);
    const user = await enrolledUser(server, own);
    const policy = async (change: object) =>
      own.admin.call(UpdateApplicationMfaPolicyDocument, {
        input: { applicationId: own.applicationId, policy: change },
      });
    await policy({ totpEnabled: false, recoveryCodesEnabled: false, enrollment: 'OPTIONAL' });
    expect(await start(own, user.id)).toMatchObject({
      status: 'AUTHENTICATED',
      reason: 'MFA_NOT_ENABLED',
      mfaToken: null,
    });
    expect(await mfaOf(own, user.id)).toMatchObject({
      state: 'DISABLED',
      factors: [{ suspendedByPolicy: true }, { suspendedByPolicy: true }],
    });
    await policy({ totpEnabled: true });
    const mfaToken = await startToken(own, user.id);
    expect(await redeem(own.browser, mfaToken, user.recoveryCode as string)).toMatchObject({
      code: 'FACTOR_NOT_ALLOWED',
    });
    expect(await verify(own.browser, code(user.secret), mfaToken)).toMatchObject({
      __typename: 'FactorVerified',
    });
    await policy({ recoveryCodesEnabled: true });
    const again = await startToken(own, user.id);
    expect(await redeem(own.browser, again, user.recoveryCode as string)).toMatchObject({
      __typename: 'FactorVerified',
    });
  });
});
