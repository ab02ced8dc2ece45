import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { StartMfaDocument } from '../generated/documents.ts';
import { publicUrl, startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import { makeWorld } from '../setup/world.ts';
import { exempt, setPolicy, stepOf } from './step-tools.ts';
import {
  beginTotp,
  enrolledUser,
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
  // A moment to compare with, to the millisecond.
  server.clock.fix(new Date(Math.floor(Date.now() / 1000) * 1000));
  world = await signInWorld(server);
});
afterAll(() => server.stop());

const code = (secret: string) => codeAt(secret, server.clock.now());
const inSeconds = (seconds: number) => new Date(server.clock.now().getTime() + seconds * 1000).toISOString();
const fresh = (policy: Parameters<typeof setPolicy>[1]) =>
  signInWorld(server, { policy: { totpEnabled: true, recoveryCodesEnabled: true, ...policy } });

/** An answer with nothing to do. */
const letIn = (reason: string) => ({
  __typename: 'MfaDecision',
  status: 'AUTHENTICATED',
  reason,
  mfaToken: null,
  expiresAt: null,
  enrollmentDueAt: null,
  pageUrl: null,
});

/** An answer that opens a step. */
const opens = (status: string, reason: string, page: string, seconds: number) => ({
  status,
  reason,
  mfaToken: expect.stringMatching(/^[\w-]{43}\.[\w-]+\.[\w-]{22}$/),
  expiresAt: inSeconds(seconds),
  pageUrl: expect.stringMatching(
    new RegExp(`^${publicUrl}/mfa/${page}#token=[\\w-]{43}\\.[\\w-]+\\.[\\w-]{22}$`),
  ),
});

describe('startMfa', () => {
  test('lets in whoever came through an external identity provider, enrolled or not', async () => {
    const user = await enrolledUser(server, world);
    for (const userId of [user.id, uniqueId('user')]) {
      const decision = await start(world, userId, { identityProvider: 'EXTERNAL' });
      expect(decision).toEqual(letIn('EXTERNAL_IDENTITY_PROVIDER'));
    }
  });

  test('lets in where MFA is not enabled, where enrolling is optional, and during an exemption', async () => {
    const off = await signInWorld(server, { policy: {} });
    expect(await start(off, uniqueId('user'))).toEqual(letIn('MFA_NOT_ENABLED'));
    const optional = await fresh({ enrollment: 'OPTIONAL' });
    expect(await start(optional, uniqueId('user'))).toEqual(letIn('ENROLLMENT_OPTIONAL'));
    const exempted = uniqueId('user');
    await start(world, exempted);
    await exempt(server, world, exempted, new Date(inSeconds(60)));
    expect(await start(world, exempted)).toEqual(letIn('EXEMPT'));
    await exempt(server, world, exempted, server.clock.now());
    expect(await start(world, exempted)).toMatchObject({ reason: 'ENROLLMENT_REQUIRED' });
  });

  test('opens an enrollment of ten minutes where enrolling is required', async () => {
    const decision = await start(world, uniqueId('user'));
    expect(decision).toMatchObject({
      ...opens('MFA_ENROLLMENT_REQUIRED', 'ENROLLMENT_REQUIRED', 'enroll', 600),
      enrollmentDueAt: null,
    });
  });

  test('opens a challenge of five minutes for who is enrolled, also under OPTIONAL and while exempt', async () => {
    const own = await fresh({ enrollment: 'REQUIRED' });
    const user = await enrolledUser(server, own);
    const challenge = () => ({
      ...opens('MFA_CHALLENGE_REQUIRED', 'ENROLLED', 'challenge', 300),
      enrollmentDueAt: null,
    });
    expect(await start(own, user.id)).toMatchObject(challenge());
    await setPolicy(own, { enrollment: 'OPTIONAL' });
    expect(await start(own, user.id)).toMatchObject(challenge());
    await exempt(server, own, user.id, new Date(inSeconds(3600)));
    expect(await start(own, user.id)).toMatchObject(challenge());
  });

  test('lets in within grace, tells the due date, and its token enrolls early', async () => {
    const own = await fresh({ enrollment: 'REQUIRED', gracePeriodDays: 7 });
    const userId = uniqueId('user');
    const decision = await start(own, userId);
    expect(decision).toMatchObject({
      ...opens('AUTHENTICATED', 'GRACE_PERIOD', 'enroll', 600),
      enrollmentDueAt: inSeconds(7 * 24 * 3600),
    });
    const mfaToken = 'mfaToken' in decision ? (decision.mfaToken ?? '') : '';
    const { secret } = await beginTotp(own.browser, { mfaToken });
    expect(await verify(own.browser, code(secret), mfaToken)).toMatchObject({ __typename: 'FactorVerified' });
    expect(await finishEnrollment(own, mfaToken)).toMatchObject({
      __typename: 'MfaCompleted',
      userId,
      amr: ['otp'],
    });
    expect(await start(own, userId)).toMatchObject({ reason: 'ENROLLED' });
  });

  test('carries the token in the fragment of pageUrl, which no server is sent', async () => {
    const decision = await start(world, uniqueId('user'));
    if (decision.__typename !== 'MfaDecision') throw new Error('no decision');
    const url = new URL(decision.pageUrl ?? '');
    expect(url.hash).toBe(`#token=${decision.mfaToken}`);
    expect(url.search).toBe('');
  });

  test('stores the token as a digest only', async () => {
    const mfaToken = await startToken(world, uniqueId('user'));
    await stepOf(server, mfaToken);
    const { rows } = await server.database.pool.query<{ row: string }>(
      'select s::text as row from mfa_steps s',
    );
    const [random = ''] = mfaToken.split('.');
    expect(rows.filter(({ row }) => row.includes(random))).toEqual([]);
  });

  test('keeps the account name as the sign-in service last gave it', async () => {
    const userId = uniqueId('user');
    const first = await startToken(world, userId, { accountName: 'ann@old.test' });
    const second = await startToken(world, userId, { accountName: 'ann@new.test' });
    expect((await beginTotp(world.browser, { mfaToken: first })).otpauthUri).toContain('ann%40old.test');
    expect((await beginTotp(world.browser, { mfaToken: second })).otpauthUri).toContain('ann%40new.test');
    const { rows } = await server.database.pool.query(
      'select account_name from users where tenant_id = $1 and id = $2',
      [world.tenantId, userId],
    );
    expect(rows).toEqual([{ account_name: 'ann@new.test' }]);
  });
});

const tooLong = (chars: number) => 'é'.repeat(chars);

describe('startMfa refuses as InvalidInput', () => {
  test.each<[string, string, string]>([
    ['an empty user id', 'userId', ''],
    ['a user id of 256 characters', 'userId', tooLong(256)],
    ['a user id with a NUL', 'userId', 'a\u0000b'],
    ['a user id with a line feed', 'userId', 'a\nb'],
    ['a user id that reorders what is read', 'userId', 'a\u202eb'],
    ['a user id that is no Unicode', 'userId', 'a\ud800b'],
    ['an empty account name', 'accountName', ''],
    ['an account name of 201 characters', 'accountName', tooLong(201)],
    ['an account name with a control character', 'accountName', 'a\u0007b'],
    ['an account name that reorders what is read', 'accountName', 'a\u2066b'],
    ['an empty idempotency key', 'idempotencyKey', ''],
    ['an idempotency key of 256 characters', 'idempotencyKey', tooLong(256)],
    ['an idempotency key with a NUL', 'idempotencyKey', 'a\u0000'],
    ['an empty redirectUrl', 'redirectUrl', ''],
    ['a redirectUrl that is none', 'redirectUrl', 'nowhere'],
    ['a relative redirectUrl', 'redirectUrl', '/done'],
    ['a redirectUrl without a scheme', 'redirectUrl', '//app.test/done'],
    ['a redirectUrl of another origin', 'redirectUrl', 'https://evil.test/done'],
    ['a redirectUrl of another scheme', 'redirectUrl', 'http://app.test/done'],
    ['a redirectUrl of another port', 'redirectUrl', 'https://app.test:8443/done'],
    ['a redirectUrl of a host that begins alike', 'redirectUrl', 'https://app.test.evil.test/'],
    ['a redirectUrl of a host that ends alike', 'redirectUrl', 'https://evil-app.test/'],
    ['a redirectUrl of a host below the allowed one', 'redirectUrl', 'https://evil.app.test/'],
    ['a redirectUrl with the allowed host as user', 'redirectUrl', 'https://app.test@evil.test/'],
    [
      'a redirectUrl with the allowed host as user and password',
      'redirectUrl',
      'https://app.test:443@evil.test/',
    ],
    ['a redirectUrl with a user', 'redirectUrl', 'https://ann:secret@app.test/'],
    ['a backslash after the host', 'redirectUrl', 'https://app.test\\@evil.test/'],
    ['backslashes for slashes', 'redirectUrl', 'https:\\\\app.test/done'],
    ['a redirectUrl with too few slashes', 'redirectUrl', 'https:app.test/done'],
    ['a redirectUrl with too many slashes', 'redirectUrl', 'https:///app.test/done'],
    ['a space before', 'redirectUrl', ' https://app.test/done'],
    ['a tab within', 'redirectUrl', 'https://app.test\t/done'],
    ['a line feed within', 'redirectUrl', 'https://app\n.test/done'],
    ['javascript:', 'redirectUrl', 'javascript:alert(1)'],
    ['javascript: that names the origin', 'redirectUrl', 'javascript://app.test/%0aalert(1)'],
    ['data:', 'redirectUrl', 'data:text/html,hi'],
    ['blob: of the origin', 'redirectUrl', 'blob:https://app.test/1'],
    ['a redirectUrl of 2,001 characters', 'redirectUrl', `https://app.test/${'a'.repeat(1984)}`],
  ])('%s (%s)', async (_name, field, value) => {
    const answer = await start(world, uniqueId('user'), { [field]: value });
    expect(answer).toMatchObject({ __typename: 'InvalidInput', code: 'INVALID_INPUT', field });
  });

  test('nothing that the limits allow', async () => {
    const longest = {
      accountName: '𝒜'.repeat(200),
      idempotencyKey: '𝒜'.repeat(255),
      redirectUrl: `https://app.test/${'a'.repeat(1983)}`,
    };
    expect(await start(world, '𝒜'.repeat(255), longest)).toMatchObject({ __typename: 'MfaDecision' });
    for (const redirectUrl of ['https://app.test', 'https://app.test?done=1#a\\b', 'https://app.test/a@b']) {
      expect(await start(world, uniqueId('user'), { redirectUrl })).toMatchObject({
        __typename: 'MfaDecision',
      });
    }
  });
});

describe('startMfa serves', () => {
  test('no tenant of another application, absent, or unthinkable: all NOT_FOUND, in the same words', async () => {
    const foreign = await makeWorld(server, { policy: { totpEnabled: true } });
    const places = [
      foreign.tenantIds[0] as string,
      `${world.tenantId}x`,
      'no id at all',
      '',
      world.applicationId,
    ];
    const answers = await Promise.all(
      places.map((tenantId) => start({ ...world, tenantId }, uniqueId('user'))),
    );
    expect(answers[0]).toMatchObject({ __typename: 'NotFound', code: 'NOT_FOUND' });
    for (const answer of answers) expect(answer).toEqual(answers[0]);
  });

  test('nobody but a sign-in service that is bound to exactly one application', async () => {
    const { applicationId, tenantId } = world;
    const execute = ['mfa-workflow:execute'];
    const callers = [
      await server.caller({ scopes: execute }),
      await server.caller({ applicationId, tenantId, scopes: execute }),
      await server.caller({ applicationId, scopes: ['mfa-policy:write', 'auth-factor:read'] }),
      await server.caller({ applicationId, scopes: [] }),
    ];
    const input = { tenantId, userId: uniqueId('user'), accountName: 'a', trigger: 'LOGIN' as const };
    for (const caller of callers) {
      const { data, errors } = await caller.call(StartMfaDocument, { input });
      expect(data).toBeNull();
      expect(errors[0]?.extensions?.['code']).toBe('FORBIDDEN');
    }
    const { status } = await server.callerWith(null).call(StartMfaDocument, { input });
    expect(status).toBe(401);
    expect(await start(world, input.userId)).toMatchObject({ __typename: 'MfaDecision' });
  });
});
