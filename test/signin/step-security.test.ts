import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  FinishChallengeDocument,
  IntrospectDocument,
  SetTenantMfaPolicyOverrideDocument,
  StartMfaDocument,
  UpdateApplicationMfaPolicyDocument,
  VerifyRecoveryCodeDocument,
} from '../generated/documents.ts';
import { startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import {
  beginTotp,
  enroll,
  enrolledUser,
  finishChallenge,
  finishEnrollment,
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
const invalidToken = { code: 'INVALID_MFA_TOKEN' };

describe('STEP-1: a token is worth something only where it belongs', () => {
  test('of another purpose it is refused', async () => {
    const user = await enrolledUser(server, world);
    const challenge = await startToken(world, user.id);
    const enrollment = await startToken(world, uniqueId('user'));
    expect(await finishEnrollment(world, challenge)).toMatchObject(invalidToken);
    expect(await finishChallenge(world, enrollment)).toMatchObject(invalidToken);
    const { data } = await world.browser.call(VerifyRecoveryCodeDocument, {
      input: { mfaToken: enrollment, recoveryCode: user.recoveryCode as string },
    });
    expect(data.verifyRecoveryCodeAuthFactorChallenge).toMatchObject(invalidToken);
  });

  test("of another application it is refused, and beside another user's bearer", async () => {
    const user = await enrolledUser(server, world);
    const mfaToken = await startToken(world, user.id);
    const other = await signInWorld(server);
    expect(await finishChallenge({ ...world, service: other.service }, mfaToken)).toMatchObject(invalidToken);
    const bound = { applicationId: world.applicationId, tenantId: world.tenantId, scopes: [] };
    const stranger = await server.caller({ ...bound, sub: 'stranger' });
    expect(await verify(stranger, code(user.secret), mfaToken)).toMatchObject(invalidToken);
    const self = await server.caller({ ...bound, sub: user.id });
    expect(await verify(self, code(user.secret), mfaToken)).toMatchObject({ __typename: 'FactorVerified' });
  });

  test('with its random part or its tenant changed it is refused', async () => {
    const user = await enrolledUser(server, world);
    const mfaToken = await startToken(world, user.id);
    const [random = '', tenant = ''] = mfaToken.split('.');
    const otherTenant = Buffer.from((await signInWorld(server)).tenantId).toString('base64url');
    for (const forged of [
      '',
      'x',
      random,
      `${random}.`,
      `${random}.${otherTenant}`,
      `${'A'.repeat(43)}.${tenant}`,
      `${mfaToken}A`,
    ]) {
      expect(await verify(world.browser, code(user.secret), forged)).toMatchObject(invalidToken);
    }
  });

  test('it expires: a challenge after 5 minutes, an enrollment after 10', async () => {
    const own = await signInWorld(server);
    const user = await enrolledUser(server, own);
    const challenge = await startToken(own, user.id);
    const enrollment = await startToken(own, uniqueId('user'));
    server.clock.advance(299);
    expect(
      (await own.browser.call(IntrospectDocument, { mfaToken: challenge })).data.introspectMfaToken,
    ).not.toBeNull();
    server.clock.advance(1);
    expect(
      (await own.browser.call(IntrospectDocument, { mfaToken: challenge })).data.introspectMfaToken,
    ).toBeNull();
    expect(await verify(own.browser, code(user.secret), challenge)).toMatchObject(invalidToken);
    server.clock.advance(299);
    expect(await enroll(own.browser, { mfaToken: enrollment })).toMatchObject({
      __typename: 'TotpEnrollment',
    });
    server.clock.advance(1);
    expect(await enroll(own.browser, { mfaToken: enrollment })).toMatchObject(invalidToken);
  });

  test('a step finishes once, also under 50 parallel calls', async () => {
    const user = await enrolledUser(server, world);
    const mfaToken = await startToken(world, user.id);
    await verify(world.browser, code(user.secret), mfaToken);
    const results = await Promise.all(Array.from({ length: 50 }, () => finishChallenge(world, mfaToken)));
    expect(results.filter(({ __typename }) => __typename === 'MfaCompleted')).toHaveLength(1);
    expect(results.filter(({ __typename }) => __typename === 'InvalidMfaToken')).toHaveLength(49);
  });
});

describe('STEP-3: the finish judges the state of now', () => {
  const satisfied = async (own: SignInWorld) => {
    const user = await enrolledUser(server, own);
    const mfaToken = await startToken(own, user.id);
    await verify(own.browser, code(user.secret), mfaToken);
    return mfaToken;
  };
  const change = (own: SignInWorld, policy: object) =>
    own.admin.call(UpdateApplicationMfaPolicyDocument, {
      input: { applicationId: own.applicationId, policy },
    });

  test('MFA switched off in between: MFA_NOT_SATISFIED', async () => {
    const own = await signInWorld(server);
    const mfaToken = await satisfied(own);
    await change(own, { totpEnabled: false, recoveryCodesEnabled: false, enrollment: 'OPTIONAL' });
    expect(await finishChallenge(own, mfaToken)).toMatchObject({ code: 'MFA_NOT_SATISFIED' });
    const { data } = await own.browser.call(IntrospectDocument, { mfaToken });
    expect(data.introspectMfaToken).toMatchObject({ satisfied: false });
  });

  test('made optional before the enrollment was done: MFA_NOT_SATISFIED', async () => {
    const own = await signInWorld(server);
    const mfaToken = await startToken(own, uniqueId('user'));
    await change(own, { enrollment: 'OPTIONAL' });
    expect(await finishEnrollment(own, mfaToken)).toMatchObject({ code: 'MFA_NOT_SATISFIED' });
  });

  test('recovery codes switched off after one satisfied the step: MFA_NOT_SATISFIED', async () => {
    const own = await signInWorld(server);
    const user = await enrolledUser(server, own);
    const mfaToken = await startToken(own, user.id);
    await own.browser.call(VerifyRecoveryCodeDocument, {
      input: { mfaToken, recoveryCode: user.recoveryCode as string },
    });
    await change(own, { recoveryCodesEnabled: false });
    expect(await finishChallenge(own, mfaToken)).toMatchObject({ code: 'MFA_NOT_SATISFIED' });
  });

  test("the tenant's override counts as well", async () => {
    const own = await signInWorld(server);
    const mfaToken = await satisfied(own);
    await own.admin.call(SetTenantMfaPolicyOverrideDocument, {
      input: {
        tenantId: own.tenantId,
        enabled: true,
        policy: { totpEnabled: false, recoveryCodesEnabled: false, enrollment: 'OPTIONAL' },
      },
    });
    expect(await finishChallenge(own, mfaToken)).toMatchObject({ code: 'MFA_NOT_SATISFIED' });
  });
});

describe('STEP-4: a step left open by a password thief gains nothing when the user enrolls elsewhere', () => {
  test('it cannot confirm, enroll anew, or finish', async () => {
    const userId = uniqueId('user');
    const thief = await startToken(world, userId);
    const begun = await beginTotp(world.browser, { mfaToken: thief });
    await enrolledUser(server, world, userId);
    expect(await verify(world.browser, code(begun.secret), thief)).toMatchObject(invalidToken);
    expect(await enroll(world.browser, { mfaToken: thief })).toMatchObject(invalidToken);
    expect(await finishEnrollment(world, thief)).toMatchObject(invalidToken);
  });

  test.each(['a recovery code', 'a code read over the shoulder'])(
    'nor a challenge that %s answered: it is unanswered again',
    async (stolen) => {
      const user = await enrolledUser(server, world);
      const thief = await startToken(world, user.id);
      if (stolen === 'a recovery code') {
        const input = { mfaToken: thief, recoveryCode: user.recoveryCode as string };
        await world.browser.call(VerifyRecoveryCodeDocument, { input });
      } else await verify(world.browser, code(user.secret), thief);

      server.clock.advance(30);
      const own = await startToken(world, user.id);
      const begun = await beginTotp(world.browser, { mfaToken: own, currentCode: code(user.secret) });
      await verify(world.browser, code(begun.secret), own);

      expect(await finishChallenge(world, thief)).toMatchObject({ code: 'MFA_NOT_SATISFIED' });
      expect(await enroll(world.browser, { mfaToken: thief })).toMatchObject({ code: 'STEP_UP_REQUIRED' });
      expect(await verify(world.browser, code(user.secret), thief)).toMatchObject({ code: 'INVALID_CODE' });
    },
  );

  test('nor in self-service: what was begun before a factor became active never takes its place', async () => {
    const own = await signInWorld(server);
    const userId = uniqueId('user');
    const thief = await server.caller({
      sub: userId,
      applicationId: own.applicationId,
      tenantId: own.tenantId,
      scopes: [],
    });
    const begun = await beginTotp(thief, {});
    // As if the thief's begin had been slower than the user's enrollment, which ends what it finds.
    const { rows } = await server.database.pool.query(
      'select * from pending_auth_factors where tenant_id = $1 and user_id = $2',
      [own.tenantId, userId],
    );
    const user = await enrolledUser(server, own, userId);
    const [row] = rows;
    await server.database.pool.query(
      `insert into pending_auth_factors (tenant_id, id, user_id, type, step_id, key_id, secret, created_at, expires_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [
        row.tenant_id,
        row.id,
        row.user_id,
        row.type,
        row.step_id,
        row.key_id,
        row.secret,
        row.created_at,
        row.expires_at,
      ],
    );
    expect(await verify(thief, code(begun.secret))).toMatchObject({ code: 'INVALID_CODE' });
    const mfaToken = await startToken(own, userId);
    expect(await verify(own.browser, code(user.secret), mfaToken)).toMatchObject({
      factor: { id: user.factorId },
    });
  });
});

describe('TEN-3: the same user id in two tenants is two users', () => {
  test('no factor, counter or token crosses', async () => {
    const own = await signInWorld(server, {
      tenants: 2,
      policy: { totpEnabled: true, recoveryCodesEnabled: true, enrollment: 'REQUIRED' },
    });
    const user = await enrolledUser(server, own);
    const elsewhere = { ...own, tenantId: own.tenantIds[1] as string };
    expect(await start(elsewhere, user.id)).toMatchObject({ status: 'MFA_ENROLLMENT_REQUIRED' });
    const mfaToken = await startToken(elsewhere, user.id);
    expect(await verify(own.browser, code(user.secret), mfaToken)).toMatchObject({ attemptsRemaining: 4 });
    const here = await startToken(own, user.id);
    expect(await verify(own.browser, code(user.secret), here)).toMatchObject({
      __typename: 'FactorVerified',
    });
    const { data } = await own.service.call(FinishChallengeDocument, { input: { mfaToken: here } });
    expect(data.verifyMfaChallenge).toMatchObject({ tenantId: own.tenantId });
  });
});

describe('an idempotency key of startMfa', () => {
  test('answers the same decision with a new token; the first token dies', async () => {
    const user = await enrolledUser(server, world);
    const input = {
      tenantId: world.tenantId,
      userId: user.id,
      accountName: 'a',
      trigger: 'LOGIN' as const,
      idempotencyKey: uniqueId('key'),
    };
    const call = async (change = {}) =>
      (await world.service.call(StartMfaDocument, { input: { ...input, ...change } })).data.startMfa;
    const first = await call();
    const again = await call();
    if (first.__typename !== 'MfaDecision' || again.__typename !== 'MfaDecision')
      throw new Error('no decision');
    expect({ ...again, mfaToken: '', pageUrl: '' }).toEqual({ ...first, mfaToken: '', pageUrl: '' });
    expect(again.mfaToken).not.toBe(first.mfaToken);
    expect(await verify(world.browser, code(user.secret), first.mfaToken as string)).toMatchObject(
      invalidToken,
    );
    expect(await verify(world.browser, code(user.secret), again.mfaToken as string)).toMatchObject({
      __typename: 'FactorVerified',
    });
    expect(await call({ accountName: 'b' })).toMatchObject({
      code: 'INVALID_INPUT',
      field: 'idempotencyKey',
    });
    const { rows } = await server.database.pool.query('select t::text as row from idempotency_keys t');
    for (const token of [first.mfaToken, again.mfaToken]) {
      expect(rows.some(({ row }) => row.includes((token as string).split('.')[0]))).toBe(false);
    }
  });
});
