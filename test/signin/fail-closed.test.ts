import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { countersOf } from '../factor/agent.ts';
import { VerifyTotpDocument } from '../generated/documents.ts';
import { type Answer, startTestServer, type TestServer } from '../setup/harness.ts';
import { type Fault, faults, withFaults } from '../setup/statement-faults.ts';
import { codeAt } from '../setup/totp.ts';
import { type FailingCall, type Policies, recordedOf } from './failing-call.ts';
import { factorCalls } from './failing-factor-calls.ts';
import { stepCalls } from './failing-step-calls.ts';
import { renewed } from './step-tools.ts';
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
 * The database fails at each statement of each call, one run for each. Nothing comes out that lets
 * anybody in; whoever repeats the call gets what is true by then; and the user can sign in after.
 */

let server: TestServer;
let worlds: Record<Policies, SignInWorld>;
beforeAll(async () => {
  server = await startTestServer();
  server.clock.fix(new Date());
  const on = { totpEnabled: true, recoveryCodesEnabled: true };
  worlds = {
    required: await signInWorld(server),
    optional: await signInWorld(server, { policy: on }),
    graceful: await signInWorld(server, { policy: { ...on, enrollment: 'REQUIRED', gracePeriodDays: 7 } }),
  };
});
afterAll(() => server.stop());

/** Of an answer's one field: the status of a decision, the code of a refusal, the type of anything else. */
function outcomeOf({ data, errors }: Answer<unknown>): unknown {
  if (data === null) return errors[0]?.extensions?.['code'];
  const [result] = Object.values(data as object) as { status?: string; code?: string; __typename: string }[];
  return result?.status ?? result?.code ?? result?.__typename;
}

/** Nothing but the one error: no assertion, no decision, no secret. */
function expectRefused(answer: Answer<unknown>): void {
  expect(answer.status).toBe(503);
  expect(answer.data).toBeNull();
  expect(answer.errors).toEqual([
    expect.objectContaining({
      message: 'The service cannot answer right now; repeat the call shortly.',
      extensions: { code: 'UNAVAILABLE' },
    }),
  ]);
}

/** A sign-in from its start to its end, whatever is asked for. */
async function signIn(world: SignInWorld, userId: string, secret: string | undefined): Promise<void> {
  server.clock.advance(30);
  const decision = await start(world, userId);
  if (decision.__typename !== 'MfaDecision') throw new Error(`No decision: ${JSON.stringify(decision)}`);
  const { status, mfaToken } = decision;
  if (mfaToken === null) {
    expect(status).toBe('AUTHENTICATED');
  } else if (status === 'MFA_CHALLENGE_REQUIRED') {
    const known = secret ?? '';
    expect(await verify(world.browser, codeAt(known, server.clock.now()), mfaToken)).toMatchObject({
      __typename: 'FactorVerified',
    });
    expect(await finishChallenge(world, mfaToken)).toMatchObject({ __typename: 'MfaCompleted' });
  } else {
    const begun = await beginTotp(world.browser, { mfaToken });
    expect(await verify(world.browser, codeAt(begun.secret, server.clock.now()), mfaToken)).toMatchObject({
      __typename: 'FactorVerified',
    });
    expect(await finishEnrollment(world, mfaToken)).toMatchObject({ __typename: 'MfaCompleted' });
  }
}

/** Makes the call while its statement `at` fails. @returns false where it has no such statement */
async function runFailing(
  { policies = 'required', answers, answersAgain = answers, recordedOnce, prepare }: FailingCall,
  at: number,
  fault: Fault,
): Promise<boolean> {
  const world = await renewed(server, worlds[policies]);
  const { call, isDone, userId, secret, mfaToken } = await prepare(server, world);
  const told = recordedOnce ? await recordedOf(server, world, userId, recordedOnce) : 0;
  let hasFailed = false;
  const answer = await withFaults((n) => {
    hasFailed ||= n === at;
    return n === at ? fault : null;
  }, call);
  if (!hasFailed) {
    expect(outcomeOf(answer)).toBe(answers);
    return false;
  }
  expectRefused(answer);

  const wasDone = await isDone();
  expect(outcomeOf(await call())).toBe(wasDone ? answersAgain : answers);
  expect(await isDone()).toBe(true);
  expect(outcomeOf(await call())).toBe(answersAgain);
  if (recordedOnce) expect(await recordedOf(server, world, userId, recordedOnce)).toBe(told + 1);

  // In the step that was interrupted, and then from the start.
  if (mfaToken !== undefined) {
    const finished = [await finishEnrollment(world, mfaToken), await finishChallenge(world, mfaToken)];
    expect(finished.map(({ __typename }) => __typename).sort()).toEqual(['InvalidMfaToken', 'MfaCompleted']);
  }
  await signIn(world, userId, secret);
  expect(await countersOf(server, world.tenantId, userId)).toMatchObject({ totp_failures: 0 });
  return true;
}

describe.each([...stepCalls, ...factorCalls])('STEP-2: $name', (failing) => {
  test.each(faults)('STEP-2: fails closed, and can be repeated: %s each statement', async (fault) => {
    let at = 1;
    while (await runFailing(failing, at, fault)) at += 1;
    expect(at).toBeGreaterThan(2);
  });
});

describe('of a code in a call that fails', () => {
  // The statements are: read, reserve the attempt, spend the code. Where the answer to the second is
  // lost, nobody knows whether it was counted; to give back what may not be taken would give guesses away.
  test.each([
    ['error before', [0, 0, 1]],
    ['cut before', [0, 0, 1]],
    ['error after', [0, 1, 0]],
    ['cut after', [0, 1, 0]],
  ] as const)(
    'THR-3: no attempt is counted that was not reserved or is accepted: %s',
    async (fault, counted) => {
      const world = await renewed(server, worlds.required);
      for (const [index, failures] of counted.entries()) {
        const user = await enrolledUser(server, world);
        const input = {
          mfaToken: await startToken(world, user.id),
          code: codeAt(user.secret, server.clock.now()),
        };
        const call = () => world.browser.call(VerifyTotpDocument, { input });
        expectRefused(await withFaults((n) => (n === index + 1 ? fault : null), call));
        expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({ totp_failures: failures });
      }
    },
  );
});
