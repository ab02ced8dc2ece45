import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import { introspect, newRecoveryCode, stepOf } from '../signin/step-tools.ts';
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
  startToken,
  verify,
} from '../signin/user-agent.ts';
import { countersOf, deleteFactor, factorRows, redeem, renewed, tally } from './agent.ts';
import { holding, lineUp, stepRow, totpRow, userRow } from './lock.ts';

/*
 * What is begun, confirmed or issued in a step that is finished or ended at the same time: it comes
 * before the end, or it does not come at all.
 */

let server: TestServer;
let world: SignInWorld;
let user: EnrolledUser;
beforeAll(async () => {
  server = await startTestServer();
  world = await signInWorld(server);
});
beforeEach(async () => {
  world = await renewed(server, world);
  user = await enrolledUser(server, world);
});
afterAll(() => server.stop());

const right = (secret = user.secret) => codeAt(secret, server.clock.now());
const refused = { code: 'INVALID_MFA_TOKEN' };
const finished = { __typename: 'MfaCompleted' };

/** A challenge that waits to be finished, done with the authenticator. The next code is unspent. */
async function satisfiedByTotp(): Promise<string> {
  const mfaToken = await startToken(world, user.id);
  await verify(world.browser, right(), mfaToken);
  server.clock.advance(30);
  return mfaToken;
}

/** The same, done with the recovery code. */
async function satisfiedByRecovery(): Promise<string> {
  const mfaToken = await startToken(world, user.id);
  await redeem(world.browser, mfaToken, user.recoveryCode ?? '');
  return mfaToken;
}

const recoveryIds = async () =>
  (await factorRows(server, world.tenantId, user.id)).flatMap(({ type, id, spent }) =>
    type === 'RECOVERY_CODE' && Number(spent) === 0 ? [id] : [],
  );
const pendingIds = async () =>
  (await mfaOf(world, user.id)).factors.flatMap(({ id, status }) => (status === 'PENDING' ? [id] : []));

/** Finishes a step while a call in it, which has read that the step is open, waits for the user's row. */
const overtaken = <T>(mfaToken: string, call: () => Promise<T>): Promise<T> =>
  holding(userRow(world.tenantId, user.id), async ({ waiting, release }) => {
    const called = call();
    await waiting(1);
    expect(await finishChallenge(world, mfaToken)).toMatchObject(finished);
    await release();
    return called;
  });

describe('in a step that a recovery code satisfied', () => {
  test('REC-2: a recovery code issued before the finish lives, and there is one', async () => {
    const mfaToken = await satisfiedByRecovery();
    const { id } = await stepOf(server, mfaToken);
    const [issued, completed] = await lineUp(
      stepRow(world.tenantId, id),
      () => newRecoveryCode(world.browser, { mfaToken }),
      () => finishChallenge(world, mfaToken),
    );
    expect(completed).toMatchObject(finished);
    expect(await recoveryIds()).toEqual('factor' in issued ? [issued.factor.id] : 'none issued');
  });

  test('REC-2: none is issued once the finish came before', async () => {
    const mfaToken = await satisfiedByRecovery();
    const { id } = await stepOf(server, mfaToken);
    const [completed, issued] = await lineUp(
      stepRow(world.tenantId, id),
      () => finishChallenge(world, mfaToken),
      () => newRecoveryCode(world.browser, { mfaToken }),
    );
    expect(completed).toMatchObject(finished);
    expect(issued).toMatchObject(refused);
    expect(await recoveryIds()).toEqual([]);
  });

  test('ENR-1: nothing is begun once the finish came before', async () => {
    const mfaToken = await satisfiedByRecovery();
    const { id } = await stepOf(server, mfaToken);
    const [completed, begun] = await lineUp(
      stepRow(world.tenantId, id),
      () => finishChallenge(world, mfaToken),
      () => enroll(world.browser, { mfaToken }),
    );
    expect(completed).toMatchObject(finished);
    expect(begun).toMatchObject(refused);
    expect(await factorRows(server, world.tenantId, user.id, 'pending_auth_factors')).toEqual([]);
  });

  test.each([
    ['a recovery code', (mfaToken: string) => newRecoveryCode(world.browser, { mfaToken })],
    ['a new authenticator', (mfaToken: string) => enroll(world.browser, { mfaToken })],
  ])('ENR-2: %s and the deletion that ends the step both get an answer, in either order', async (_, call) => {
    const answers: object[] = [];
    for (const isDeletedFirst of [true, false]) {
      user = await enrolledUser(server, world);
      const mfaToken = await satisfiedByRecovery();
      const deleting = () => deleteFactor(world.admin, user.factorId);
      const calling = () => call(mfaToken);
      const [first, second] = await lineUp<[object, object]>(
        userRow(world.tenantId, user.id),
        isDeletedFirst ? deleting : calling,
        isDeletedFirst ? calling : deleting,
      );
      answers.push(isDeletedFirst ? second : first);
      expect(isDeletedFirst ? first : second).toMatchObject({ __typename: 'UserPayload' });
      expect(await factorRows(server, world.tenantId, user.id)).toEqual([]);
      expect(await factorRows(server, world.tenantId, user.id, 'pending_auth_factors')).toEqual([]);
    }
    expect(answers[0]).toMatchObject(refused);
    // What was begun is read again before it is shown: the deletion may have taken it by then.
    expect('factor' in (answers[1] as object) ? answers[0] : answers[1]).toMatchObject(refused);
  });

  test('REC-2: of four codes issued at once one lives', async () => {
    const mfaToken = await satisfiedByRecovery();
    const issued = await Promise.all(
      Array.from({ length: 4 }, () => newRecoveryCode(world.browser, { mfaToken })),
    );
    expect(tally(issued)).toEqual({ RecoveryCodeEnrollment: 4 });
    expect(await recoveryIds()).toHaveLength(1);
    const answers: object[] = [];
    for (const code of issued) {
      const next = await startToken(world, user.id);
      answers.push(await redeem(world.browser, next, 'recoveryCode' in code ? code.recoveryCode : ''));
    }
    expect(tally(answers)).toEqual({ FactorVerified: 1, INVALID_CODE: 3 });
  });

  test.each([1, 2, 3, 4, 5])(
    'ENR-1: begins, issues, a confirmation and the finish at once leave one of each and nothing pending (round %d)',
    async () => {
      const mfaToken = await satisfiedByRecovery();
      const begun = await beginTotp(world.browser, { mfaToken });
      const [completed, ...answers] = await Promise.all([
        finishChallenge(world, mfaToken),
        newRecoveryCode(world.browser, { mfaToken }),
        verify(world.browser, right(begun.secret), mfaToken),
        enroll(world.browser, { mfaToken }),
        newRecoveryCode(world.browser, { mfaToken }),
      ]);
      expect(completed).toMatchObject(finished);
      for (const answer of answers) {
        expect('code' in answer ? answer.code : 'done').toMatch(/^(done|INVALID_MFA_TOKEN|INVALID_CODE)$/);
      }
      expect(await pendingIds()).toEqual([]);
      const types = (await factorRows(server, world.tenantId, user.id)).map(({ type }) => type);
      expect(types).toEqual(['TOTP', 'RECOVERY_CODE']);
      expect(await enroll(world.browser, { mfaToken })).toMatchObject(refused);
    },
  );
});

describe('with a current code, in a step that is finished meanwhile', () => {
  const issuing = (mfaToken: string) => newRecoveryCode(world.browser, { mfaToken, currentCode: right() });
  const beginning = (mfaToken: string) => enroll(world.browser, { mfaToken, currentCode: right() });

  test('REC-2: no recovery code is issued', async () => {
    const before = await recoveryIds();
    const mfaToken = await satisfiedByTotp();
    expect(await overtaken(mfaToken, () => issuing(mfaToken))).toMatchObject(refused);
    expect(await recoveryIds()).toEqual(before);
  });

  test('REC-2: a recovery code whose issue comes first is issued, and the finish comes after', async () => {
    const mfaToken = await satisfiedByTotp();
    const [issued, completed] = await lineUp(
      totpRow(world.tenantId, user.id),
      () => issuing(mfaToken),
      () => finishChallenge(world, mfaToken),
    );
    expect(completed).toMatchObject(finished);
    expect(await recoveryIds()).toEqual('factor' in issued ? [issued.factor.id] : 'none issued');
  });

  test('ENR-1: nothing is begun', async () => {
    const mfaToken = await satisfiedByTotp();
    expect(await overtaken(mfaToken, () => beginning(mfaToken))).toMatchObject(refused);
    expect(await factorRows(server, world.tenantId, user.id, 'pending_auth_factors')).toEqual([]);
  });

  test('OTP-1, THR-3, LOG-2: the code is not spent, no attempt counted, and the record tells of it', async () => {
    const mfaToken = await satisfiedByTotp();
    await overtaken(mfaToken, () => issuing(mfaToken));
    const { rows } = await server.database.pool.query(
      "select detail from audit_events where user_id = $1 and action = 'mfa_challenge.failed'",
      [user.id],
    );
    expect(rows).toEqual([{ detail: { type: 'TOTP', refusedFor: 'step over' } }]);
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({ totp_failures: 0 });
    expect(await verify(world.browser, right(), await startToken(world, user.id))).toMatchObject({
      __typename: 'FactorVerified',
    });
  });

  test('STEP-1: a further code is not spent by it either', async () => {
    const mfaToken = await satisfiedByTotp();
    const again = await overtaken(mfaToken, () => verify(world.browser, right(), mfaToken));
    expect(again).toMatchObject(refused);
    expect(await verify(world.browser, right(), await startToken(world, user.id))).toMatchObject({
      __typename: 'FactorVerified',
    });
  });

  test('REC-1: nor a recovery code', async () => {
    const mfaToken = await satisfiedByTotp();
    const code = user.recoveryCode ?? '';
    const again = await overtaken(mfaToken, () => redeem(world.browser, mfaToken, code));
    expect(again).toMatchObject(refused);
    expect(await redeem(world.browser, await startToken(world, user.id), code)).toMatchObject({
      __typename: 'FactorVerified',
    });
  });

  test('ENR-1: what was begun is not confirmed', async () => {
    const mfaToken = await satisfiedByTotp();
    const begun = await beginTotp(world.browser, { mfaToken, currentCode: right() });
    const confirmed = await overtaken(mfaToken, () => verify(world.browser, right(begun.secret), mfaToken));
    expect(confirmed).toMatchObject(refused);
    expect((await factorRows(server, world.tenantId, user.id))[0]).toMatchObject({ id: user.factorId });
  });
});

describe('ENR-1: a pending factor ends with its step', () => {
  test('when a challenge is finished', async () => {
    const mfaToken = await satisfiedByTotp();
    const begun = await beginTotp(world.browser, { mfaToken, currentCode: right() });
    expect(await pendingIds()).toEqual([begun.factor.id]);
    await finishChallenge(world, mfaToken);
    expect(await pendingIds()).toEqual([]);
    expect(await deleteFactor(world.admin, begun.factor.id)).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('when an enrollment is finished, and what was begun in self-service does not', async () => {
    const id = uniqueId('user');
    const mfaToken = await startToken(world, id);
    const { secret } = await beginTotp(world.browser, { mfaToken });
    await verify(world.browser, right(secret), mfaToken);
    server.clock.advance(30);
    await beginTotp(world.browser, { mfaToken, currentCode: right(secret) });
    server.clock.advance(30);
    const self = await server.caller({ ...world, sub: id, scopes: [] });
    const own = await beginTotp(self, { currentCode: right(secret) });
    await finishEnrollment(world, mfaToken);
    user = { ...user, id };
    expect(await pendingIds()).toEqual([own.factor.id]);
  });

  test('also for the page that began it: its token says nothing more', async () => {
    const mfaToken = await satisfiedByTotp();
    const begun = await beginTotp(world.browser, { mfaToken, currentCode: right() });
    await finishChallenge(world, mfaToken);
    expect(await introspect(world.browser, mfaToken)).toBeNull();
    expect(await verify(world.browser, right(begun.secret), mfaToken)).toMatchObject(refused);
    expect(await enroll(world.browser, { mfaToken })).toMatchObject(refused);
  });
});

describe('STEP-4: what was read of a step before the user enrolled elsewhere counts no more', () => {
  /** Confirms a new authenticator in another step, first in the line for the user's row; then the call. */
  async function afterEnrollment<T>(call: () => Promise<T>): Promise<T> {
    server.clock.advance(30);
    const elsewhere = await startToken(world, user.id);
    const begun = await beginTotp(world.browser, { mfaToken: elsewhere, currentCode: right() });
    const [confirmed, answer] = await lineUp<[object, T]>(
      userRow(world.tenantId, user.id),
      () => verify(world.browser, right(begun.secret), elsewhere),
      call,
    );
    expect(confirmed).toMatchObject({ __typename: 'FactorVerified' });
    return answer;
  }

  test('a finish of a challenge that the dead authenticator answered gives no assertion', async () => {
    const mfaToken = await satisfiedByTotp();
    const { id } = await stepOf(server, mfaToken);
    server.clock.advance(30);
    const elsewhere = await startToken(world, user.id);
    const begun = await beginTotp(world.browser, { mfaToken: elsewhere, currentCode: right() });
    const [confirmed, completed] = await lineUp<[object, object]>(
      stepRow(world.tenantId, id),
      () => verify(world.browser, right(begun.secret), elsewhere),
      () => finishChallenge(world, mfaToken),
    );
    expect(confirmed).toMatchObject({ __typename: 'FactorVerified' });
    expect(completed).toMatchObject(refused);
    expect(await finishChallenge(world, mfaToken)).toMatchObject({ code: 'MFA_NOT_SATISFIED' });
  });

  test.each([
    ['a recovery code', (mfaToken: string) => newRecoveryCode(world.browser, { mfaToken })],
    ['an authenticator', (mfaToken: string) => enroll(world.browser, { mfaToken })],
  ])('in a step that the dead recovery code answered, %s is not to be had', async (_what, call) => {
    const mfaToken = await satisfiedByRecovery();
    expect(await afterEnrollment<object>(() => call(mfaToken))).toMatchObject(refused);
    expect(await call(mfaToken)).toMatchObject({ code: 'STEP_UP_REQUIRED' });
    expect(await pendingIds()).toEqual([]);
  });
});
