import {
  DeleteAuthFactorDocument,
  EnrollRecoveryCodeDocument,
  EnrollTotpDocument,
  VerifyRecoveryCodeDocument,
  VerifyTotpDocument,
} from '../generated/documents.ts';
import { type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import {
  challenged,
  code,
  countOf,
  enrolling,
  type FailingCall,
  isSatisfied,
  recordedOf,
  signedIn,
} from './failing-call.ts';
import { redeem } from './step-tools.ts';
import { beginTotp, enrolledUser, type SignInWorld, startToken } from './user-agent.ts';

const deleting = (
  server: TestServer,
  world: SignInWorld,
  by: TestCaller,
  userId: string,
  id: string,
  currentCode?: string,
) => ({
  userId,
  call: () => by.call(DeleteAuthFactorDocument, { input: { id, currentCode } }),
  isDone: async () =>
    (await countOf(server, world, userId, 'auth_factors', id)) +
      (await countOf(server, world, userId, 'pending_auth_factors', id)) ===
    0,
});

/** Enrolling, verifying and deleting. */
export const factorCalls: readonly FailingCall[] = [
  {
    name: 'beginning an authenticator in a step',
    answers: 'TotpEnrollment',
    async prepare(server, world) {
      const userId = uniqueId('user');
      const mfaToken = await startToken(world, userId);
      return {
        userId,
        call: () => world.browser.call(EnrollTotpDocument, { input: { mfaToken } }),
        isDone: async () => (await countOf(server, world, userId, 'pending_auth_factors')) === 1,
      };
    },
  },
  {
    name: 'beginning another authenticator by a code of the first',
    answers: 'TotpEnrollment',
    answersAgain: 'INVALID_CODE',
    async prepare(server, world) {
      const { user, self } = await signedIn(server, world);
      const currentCode = code(server, user.secret);
      return {
        userId: user.id,
        secret: user.secret,
        call: () => self.call(EnrollTotpDocument, { input: { currentCode } }),
        isDone: async () => (await countOf(server, world, user.id, 'pending_auth_factors')) === 1,
      };
    },
  },
  {
    name: 'confirming an authenticator',
    answers: 'FactorVerified',
    answersAgain: 'INVALID_CODE',
    recordedOnce: 'auth_factor.enrolled',
    async prepare(server, world) {
      const { userId, secret, mfaToken, confirm } = await enrolling(server, world);
      return { userId, secret, mfaToken, call: confirm, isDone: isSatisfied(server, mfaToken) };
    },
  },
  {
    name: 'confirming an authenticator in the place of another',
    answers: 'FactorVerified',
    answersAgain: 'INVALID_CODE',
    async prepare(server, world) {
      const { user, self } = await signedIn(server, world);
      const { secret, factor } = await beginTotp(self, { currentCode: code(server, user.secret) });
      const input = { code: code(server, secret) };
      return {
        userId: user.id,
        secret,
        call: () => self.call(VerifyTotpDocument, { input }),
        isDone: async () => (await countOf(server, world, user.id, 'auth_factors', factor.id)) === 1,
      };
    },
  },
  {
    name: 'answering a challenge by a TOTP code',
    answers: 'FactorVerified',
    answersAgain: 'INVALID_CODE',
    async prepare(server, world) {
      const { user, mfaToken } = await challenged(server, world);
      const input = { mfaToken, code: code(server, user.secret) };
      return {
        userId: user.id,
        secret: user.secret,
        mfaToken,
        call: () => world.browser.call(VerifyTotpDocument, { input }),
        isDone: isSatisfied(server, mfaToken),
      };
    },
  },
  {
    name: 'answering a challenge by a recovery code',
    answers: 'FactorVerified',
    answersAgain: 'INVALID_CODE',
    recordedOnce: 'recovery_code.used',
    async prepare(server, world) {
      const { user, mfaToken } = await challenged(server, world);
      const input = { mfaToken, recoveryCode: user.recoveryCode ?? '' };
      return {
        userId: user.id,
        secret: user.secret,
        mfaToken,
        call: () => world.browser.call(VerifyRecoveryCodeDocument, { input }),
        isDone: isSatisfied(server, mfaToken),
      };
    },
  },
  {
    name: 'taking a new recovery code by a TOTP code',
    answers: 'RecoveryCodeEnrollment',
    answersAgain: 'INVALID_CODE',
    async prepare(server, world) {
      const { user, self } = await signedIn(server, world);
      const before = await recordedOf(server, world, user.id, 'recovery_code.issued');
      const currentCode = code(server, user.secret);
      return {
        userId: user.id,
        secret: user.secret,
        call: () => self.call(EnrollRecoveryCodeDocument, { input: { currentCode } }),
        isDone: async () => (await recordedOf(server, world, user.id, 'recovery_code.issued')) > before,
      };
    },
  },
  {
    name: 'taking a new recovery code after the old one was used',
    answers: 'RecoveryCodeEnrollment',
    async prepare(server, world) {
      const { user, mfaToken } = await challenged(server, world);
      await redeem(world.browser, mfaToken, user.recoveryCode);
      const before = await recordedOf(server, world, user.id, 'recovery_code.issued');
      return {
        userId: user.id,
        secret: user.secret,
        mfaToken,
        call: () => world.browser.call(EnrollRecoveryCodeDocument, { input: { mfaToken } }),
        isDone: async () => (await recordedOf(server, world, user.id, 'recovery_code.issued')) > before,
      };
    },
  },
  {
    name: 'deleting the own authenticator',
    answers: 'UserPayload',
    answersAgain: 'NOT_FOUND',
    recordedOnce: 'auth_factor.removed',
    async prepare(server, world) {
      const { user, self } = await signedIn(server, world);
      return deleting(server, world, self, user.id, user.factorId, code(server, user.secret));
    },
  },
  {
    name: "deleting somebody's authenticator",
    answers: 'UserPayload',
    answersAgain: 'NOT_FOUND',
    recordedOnce: 'auth_factor.removed',
    async prepare(server, world) {
      const user = await enrolledUser(server, world);
      return deleting(server, world, world.admin, user.id, user.factorId);
    },
  },
  {
    name: 'deleting an authenticator that was begun',
    answers: 'UserPayload',
    answersAgain: 'NOT_FOUND',
    recordedOnce: 'auth_factor.removed',
    async prepare(server, world) {
      const { userId, factorId } = await enrolling(server, world);
      return deleting(server, world, world.admin, userId, factorId);
    },
  },
];
