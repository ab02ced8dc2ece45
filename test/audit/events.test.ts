import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { selfOf } from '../factor/agent.ts';
import {
  AuditEventsDocument,
  type AuditEventsQueryVariables,
  UpdateApplicationMfaPolicyDocument,
} from '../generated/documents.ts';
import { startTestServer, type TestCaller, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt, wrongCode } from '../setup/totp.ts';
import { redeem } from '../signin/step-tools.ts';
import {
  beginTotp,
  type EnrolledUser,
  enroll,
  enrolledUser,
  type SignInWorld,
  signInWorld,
  startToken,
  verify,
} from '../signin/user-agent.ts';

let server: TestServer;
let world: SignInWorld;
let reader: TestCaller;
let user: EnrolledUser;
beforeAll(async () => {
  server = await startTestServer();
  world = await signInWorld(server, { tenants: 2 });
  reader = await server.caller({ applicationId: world.applicationId, scopes: ['audit:read'] });
  user = await enrolledUser(server, world);
  for (let n = 0; n < 30; n += 1) await startToken(world, uniqueId('user'));
});
afterAll(() => server.stop());

const off = { totpEnabled: false, recoveryCodesEnabled: false, enrollment: 'OPTIONAL' } as const;

type Asked = Omit<AuditEventsQueryVariables, 'applicationId'>;

const page = async (asked: Asked = {}, caller = reader, applicationId = world.applicationId) => {
  const { data, errors } = await caller.call(AuditEventsDocument, { applicationId, ...asked });
  if (data === null) throw new Error(JSON.stringify(errors));
  return data.auditEvents;
};

async function all(filter?: Asked['filter'], first = 7) {
  const nodes = [];
  let after: string | null | undefined;
  do {
    const { nodes: more, pageInfo } = await page({ first, after, filter });
    nodes.push(...more);
    after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  } while (after);
  return nodes;
}

describe('auditEvents', () => {
  test('lists everything once, newest first, in pages', async () => {
    const events = await all();
    const moments = events.map(({ at }) => new Date(at).getTime());
    expect(moments).toEqual([...moments].sort((a, b) => b - a));
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    expect(events.at(-1)).toMatchObject({ action: 'application.created', tenantId: null, actor: 'tester' });
    expect(events.map(({ id }) => id)).toEqual((await all(undefined, 100)).map(({ id }) => id));
  });

  test('of the enrollment of a user tells each act once, in order', async () => {
    const events = await all({ userId: user.id });
    expect(events.map(({ action }) => action)).toEqual([
      'mfa_enrollment.completed',
      'recovery_code.issued',
      'auth_factor.enrolled',
      'mfa_step.started',
    ]);
    expect(events.map(({ actor }) => actor)).toEqual(['tester', user.id, user.id, 'tester']);
  });

  test('filters by tenant, user, action and time, from inclusive, to exclusive', async () => {
    const [first, second] = world.tenantIds as [string, string];
    expect(new Set((await all({ tenantId: first })).map(({ tenantId }) => tenantId))).toEqual(
      new Set([first]),
    );
    expect((await all({ tenantId: second })).map(({ action }) => action)).toEqual(['tenant.created']);
    expect(await all({ action: 'mfa_step.started' })).toHaveLength(31);
    expect(await all({ action: 'no.such' })).toEqual([]);
    const at = (await all({ action: 'auth_factor.enrolled' }))[0]?.at as string;
    const later = new Date(new Date(at).getTime() + 1).toISOString();
    const of = { action: 'auth_factor.enrolled' };
    expect(await all({ ...of, from: at, to: later })).toHaveLength(1);
    expect(await all({ ...of, to: at })).toEqual([]);
    expect(await all({ ...of, from: later })).toEqual([]);
  });

  test('stays right while events are added', async () => {
    const first = await page({ first: 5 });
    await startToken(world, uniqueId('user'));
    const next = await page({ first: 5, after: first.pageInfo.endCursor });
    const known = (await all(undefined, 100)).map(({ id }) => id).slice(1);
    expect([...first.nodes, ...next.nodes].map(({ id }) => id)).toEqual(known.slice(0, 10));
  });

  test('LOG-2: tells of a code that was not looked at, too', async () => {
    const guesser = await enrolledUser(server, world);
    const mfaToken = await startToken(world, guesser.id);
    const wrong = wrongCode(guesser.secret, server.clock.now());
    for (let n = 0; n < 7; n += 1) await verify(world.browser, wrong, mfaToken);
    const failed = await all({ userId: guesser.id, action: 'mfa_challenge.failed' });
    expect(failed.map(({ detail }) => JSON.parse(detail).refusedFor ?? null)).toEqual([
      'waiting',
      'waiting',
      null,
      null,
      null,
      null,
      null,
    ]);
    expect(await all({ userId: guesser.id, action: 'mfa_user.locked' })).toHaveLength(1);
  });

  test('LOG-2: tells of each code that was accepted, whatever becomes of it', async () => {
    const { id, secret, recoveryCode } = await enrolledUser(server, world);
    const used = async (action: string) =>
      (await all({ userId: id, action })).map(({ actor, detail }) => [actor, JSON.parse(detail)]);
    const own = { type: 'TOTP' };
    // Right, and the step is never finished.
    const right = () => codeAt(secret, server.clock.now());
    await verify(world.browser, right(), await startToken(world, id));
    expect(await used('auth_factor.used')).toEqual([[id, own]]);
    // Given to begin another enrollment, which is never confirmed.
    server.clock.advance(30);
    await beginTotp(await selfOf(server, world, id), { currentCode: right() });
    expect(await used('auth_factor.used')).toEqual([
      [id, own],
      [id, own],
    ]);
    expect(await used('recovery_code.used')).toEqual([]);
    await redeem(world.browser, await startToken(world, id), recoveryCode as string);
    expect(await used('recovery_code.used')).toEqual([[id, { type: 'RECOVERY_CODE' }]]);
    // With the one that confirmed the first enrollment each is told once.
    expect(await used('auth_factor.enrolled')).toHaveLength(1);
    expect(await used('mfa_challenge.completed')).toEqual([]);
  });

  test('LOG-2: tells of a code of a kind that the policy does not allow', async () => {
    const own = await signInWorld(server);
    const { id } = await enrolledUser(server, own);
    const mfaToken = await startToken(own, id);
    const input = { applicationId: own.applicationId, policy: off };
    await own.admin.call(UpdateApplicationMfaPolicyDocument, { input });
    expect(await verify(own.browser, '000000', mfaToken)).toMatchObject({ code: 'FACTOR_NOT_ALLOWED' });
    expect(await redeem(own.browser, mfaToken, '0000-0000-0000-0000-0000')).toMatchObject({
      code: 'FACTOR_NOT_ALLOWED',
    });
    expect(await enroll(own.browser, { mfaToken, currentCode: '000000' })).toMatchObject({
      code: 'FACTOR_NOT_ALLOWED',
    });
    const caller = await server.caller({ applicationId: own.applicationId, scopes: ['audit:read'] });
    const filter = { userId: id, action: 'mfa_challenge.failed' };
    const { nodes } = await page({ filter }, caller, own.applicationId);
    expect(nodes.map(({ actor, detail }) => [actor, JSON.parse(detail)])).toEqual([
      [id, { type: 'TOTP', refusedFor: 'not allowed' }],
      [id, { type: 'RECOVERY_CODE', refusedFor: 'not allowed' }],
      [id, { type: 'TOTP', refusedFor: 'not allowed' }],
    ]);
  });

  test('names the authenticator that a new one took the place of', async () => {
    const { id, secret } = await enrolledUser(server, world);
    const mfaToken = await startToken(world, id);
    const currentCode = codeAt(secret, server.clock.now());
    const begun = await beginTotp(world.browser, { mfaToken, currentCode });
    await verify(world.browser, codeAt(begun.secret, server.clock.now()), mfaToken);
    const enrolled = await all({ userId: id, action: 'auth_factor.enrolled' });
    const [second, first] = enrolled.map(({ detail }) => JSON.parse(detail));
    expect(first).toEqual({ type: 'TOTP', factorId: expect.any(String) });
    expect(second).toEqual({ type: 'TOTP', factorId: begun.factor.id, replaces: first.factorId });
  });

  test('TEN-2: of a foreign application are an empty page, to a tenant just its own', async () => {
    const foreign = await signInWorld(server);
    expect(await page({}, reader, foreign.applicationId)).toMatchObject({
      nodes: [],
      pageInfo: { hasNextPage: false },
    });
    const [first] = world.tenantIds as [string];
    const bound = { applicationId: world.applicationId, tenantId: first, scopes: ['audit:read'] };
    const { nodes } = await page({ first: 100 }, await server.caller(bound));
    expect(new Set(nodes.map(({ tenantId }) => tenantId))).toEqual(new Set([first]));
    expect(
      await page({ filter: { tenantId: world.tenantIds[1] } }, await server.caller(bound)),
    ).toMatchObject({ nodes: [] });
  });

  test.each([0, 101])('refuses a page of %i', async (first) => {
    const { errors } = await reader.call(AuditEventsDocument, { applicationId: world.applicationId, first });
    expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT' });
  });

  test.each([
    ['application', { applicationId: 'a\u0000' }],
    ['tenant', { filter: { tenantId: 'a\u0000' } }],
    ['user', { filter: { userId: 'a\u0000' } }],
    ['action', { filter: { action: 'mfa\u0000' } }],
  ])(
    'of what can name no %s are an empty page',
    async (_what, { applicationId, ...asked }: Asked & { applicationId?: string }) => {
      expect(await page(asked, reader, applicationId)).toMatchObject({
        nodes: [],
        pageInfo: { hasNextPage: false, endCursor: null },
      });
    },
  );

  test.each([
    ['-271821-04-20T00:00:00.000Z', '00000000-0000-7000-8000-000000000000'],
    ['x', 'y'],
    ['2026-01-01', 'y'],
    ['', ''],
    ['2026-01-01', '00000000-0000-7000-8000-00000000000g'],
  ])('refuses a cursor of %j, %j', async (...key) => {
    const after = Buffer.from(JSON.stringify(key)).toString('base64url');
    const { errors } = await reader.call(AuditEventsDocument, { applicationId: world.applicationId, after });
    expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT' });
  });
});
