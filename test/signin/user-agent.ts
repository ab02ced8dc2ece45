import {
  EnrollTotpDocument,
  FinishChallengeDocument,
  FinishEnrollmentDocument,
  StartMfaDocument,
  type StartMfaMutationVariables,
  UserMfaDocument,
  VerifyTotpDocument,
} from '../generated/documents.ts';
import { type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import { makeWorld, type World } from '../setup/world.ts';

type StartInput = StartMfaMutationVariables['input'];

/** An application with the MFA step on, its sign-in service, and users. */
export interface SignInWorld extends World {
  tenantId: string;
  /** The sign-in service: bound to the application. */
  service: TestCaller;
  /** A browser: no bearer token. */
  browser: TestCaller;
  admin: TestCaller;
}

export async function signInWorld(
  server: TestServer,
  options: Parameters<typeof makeWorld>[1] = {},
): Promise<SignInWorld> {
  const world = await makeWorld(server, {
    policy: { totpEnabled: true, recoveryCodesEnabled: true, enrollment: 'REQUIRED' },
    displayName: 'Acme',
    ...options,
  });
  return {
    ...world,
    tenantId: world.tenantIds[0] as string,
    service: await server.caller({ applicationId: world.applicationId, scopes: ['mfa-workflow:execute'] }),
    browser: server.callerWith(null),
    admin: await server.caller(),
  };
}

export async function start(world: SignInWorld, userId: string, input: Partial<StartInput> = {}) {
  const { data } = await world.service.call(StartMfaDocument, {
    input: {
      tenantId: world.tenantId,
      userId,
      accountName: `${userId}@acme.test`,
      trigger: 'LOGIN',
      ...input,
    },
  });
  return data.startMfa;
}

/** Starts a step that gives a token. */
export async function startToken(
  world: SignInWorld,
  userId: string,
  input: Partial<StartInput> = {},
): Promise<string> {
  const decision = await start(world, userId, input);
  if (decision.__typename !== 'MfaDecision' || decision.mfaToken === null) {
    throw new Error(`No token: ${JSON.stringify(decision)}`);
  }
  return decision.mfaToken;
}

export async function enroll(caller: TestCaller, input: { mfaToken?: string; currentCode?: string }) {
  const { data } = await caller.call(EnrollTotpDocument, { input });
  return data.enrollTotpAuthFactor;
}

export async function beginTotp(caller: TestCaller, input: { mfaToken?: string; currentCode?: string }) {
  const begun = await enroll(caller, input);
  if (begun.__typename !== 'TotpEnrollment') throw new Error(`Not begun: ${JSON.stringify(begun)}`);
  return begun;
}

export async function verify(caller: TestCaller, code: string, mfaToken?: string) {
  const { data } = await caller.call(VerifyTotpDocument, { input: { mfaToken, code } });
  return data.verifyTotpAuthFactorChallenge;
}

export async function finishEnrollment(world: SignInWorld, mfaToken: string) {
  const { data } = await world.service.call(FinishEnrollmentDocument, { input: { mfaToken } });
  return data.verifyMfaEnrollment;
}

export async function finishChallenge(world: SignInWorld, mfaToken: string) {
  const { data } = await world.service.call(FinishChallengeDocument, { input: { mfaToken } });
  return data.verifyMfaChallenge;
}

export async function mfaOf(world: SignInWorld, id: string) {
  const { data, errors } = await world.admin.call(UserMfaDocument, { id, tenantId: world.tenantId });
  if (!data?.user?.mfa) throw new Error(`No such user: ${JSON.stringify({ data, errors })}`);
  return data.user.mfa;
}

export interface EnrolledUser {
  id: string;
  secret: string;
  recoveryCode: string | null;
  factorId: string;
}

/** A user who has enrolled; the clock has moved on, so that the next code is unspent. */
export async function enrolledUser(
  server: TestServer,
  world: SignInWorld,
  userId: string = uniqueId('user'),
): Promise<EnrolledUser> {
  const mfaToken = await startToken(world, userId);
  const { secret, factor } = await beginTotp(world.browser, { mfaToken });
  const verified = await verify(world.browser, codeAt(secret, server.clock.now()), mfaToken);
  if (verified.__typename !== 'FactorVerified') throw new Error(`Not enrolled: ${JSON.stringify(verified)}`);
  await finishEnrollment(world, mfaToken);
  server.clock.advance(30);
  return { id: userId, secret, recoveryCode: verified.recoveryCode, factorId: factor.id };
}
