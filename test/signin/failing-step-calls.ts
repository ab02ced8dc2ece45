import {
  FinishChallengeDocument,
  FinishEnrollmentDocument,
  StartMfaDocument,
  type StartMfaMutationVariables,
} from '../generated/documents.ts';
import { uniqueId } from '../setup/harness.ts';
import { challenged, code, enrolling, type FailingCall, isFinished, recordedOf } from './failing-call.ts';
import { enrolledUser, verify } from './user-agent.ts';

type StartInput = StartMfaMutationVariables['input'];

function starting(enrolled: boolean, withKey: boolean): FailingCall['prepare'] {
  return async (server, world) => {
    const user = enrolled ? await enrolledUser(server, world) : { id: uniqueId('user') };
    const input: StartInput = {
      tenantId: world.tenantId,
      userId: user.id,
      accountName: 'anna',
      trigger: 'LOGIN',
      idempotencyKey: withKey ? uniqueId('key') : null,
    };
    const before = await recordedOf(server, world, user.id, 'mfa_step.started');
    return {
      userId: user.id,
      ...('secret' in user && { secret: user.secret }),
      call: () => world.service.call(StartMfaDocument, { input }),
      isDone: async () => (await recordedOf(server, world, user.id, 'mfa_step.started')) > before,
    };
  };
}

/** Starting and finishing the step. */
export const stepCalls: readonly FailingCall[] = [
  {
    name: 'startMfa that lets in',
    policies: 'optional',
    answers: 'AUTHENTICATED',
    prepare: starting(false, false),
  },
  {
    name: 'startMfa that lets in, with an idempotency key',
    policies: 'optional',
    answers: 'AUTHENTICATED',
    recordedOnce: 'mfa_step.started',
    prepare: starting(false, true),
  },
  {
    name: 'startMfa within the grace period',
    policies: 'graceful',
    answers: 'AUTHENTICATED',
    prepare: starting(false, false),
  },
  {
    name: 'startMfa that asks for an enrollment, with an idempotency key',
    answers: 'MFA_ENROLLMENT_REQUIRED',
    recordedOnce: 'mfa_step.started',
    prepare: starting(false, true),
  },
  {
    name: 'startMfa that asks for a challenge',
    answers: 'MFA_CHALLENGE_REQUIRED',
    prepare: starting(true, false),
  },
  {
    name: 'verifyMfaEnrollment',
    answers: 'MfaCompleted',
    answersAgain: 'INVALID_MFA_TOKEN',
    recordedOnce: 'mfa_enrollment.completed',
    async prepare(server, world) {
      const { userId, secret, mfaToken, confirm } = await enrolling(server, world);
      await confirm();
      return {
        userId,
        secret,
        call: () => world.service.call(FinishEnrollmentDocument, { input: { mfaToken } }),
        isDone: isFinished(server, mfaToken),
      };
    },
  },
  {
    name: 'verifyMfaChallenge',
    answers: 'MfaCompleted',
    answersAgain: 'INVALID_MFA_TOKEN',
    recordedOnce: 'mfa_challenge.completed',
    async prepare(server, world) {
      const { user, mfaToken } = await challenged(server, world);
      await verify(world.browser, code(server, user.secret), mfaToken);
      return {
        userId: user.id,
        secret: user.secret,
        call: () => world.service.call(FinishChallengeDocument, { input: { mfaToken } }),
        isDone: isFinished(server, mfaToken),
      };
    },
  },
];
