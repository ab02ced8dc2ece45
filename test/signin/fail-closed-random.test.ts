import * as crypto from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import type { SignInWorld } from './user-agent.ts';

/* A random source that fails. It is part of Node, so it is replaced before anything imports it. */

let isBroken = false;
jest.unstable_mockModule('node:crypto', () => ({
  ...crypto,
  randomBytes(size: number) {
    if (isBroken) throw new Error('no entropy');
    return crypto.randomBytes(size);
  },
}));
const { startTestServer, uniqueId } = await import('../setup/harness.ts');
const { codeAt } = await import('../setup/totp.ts');
const { countersOf, factorRows } = await import('../factor/agent.ts');
const documents = await import('../generated/documents.ts');
const agent = await import('./user-agent.ts');
const { selfOf } = await import('./step-tools.ts');

let server: Awaited<ReturnType<typeof startTestServer>>;
let world: SignInWorld;
beforeAll(async () => {
  server = await startTestServer();
  server.clock.fix(new Date());
  world = await agent.signInWorld(server);
});
afterEach(() => {
  isBroken = false;
});
afterAll(() => server.stop());

const failed = { status: 500, data: null, errors: [{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }] };
const code = (secret: string) => codeAt(secret, server.clock.now());

async function broken<T>(call: () => Promise<T>): Promise<T> {
  isBroken = true;
  const answer = await call();
  isBroken = false;
  return answer;
}

test('STEP-2: without randomness startMfa answers no token, and opens no step', async () => {
  const userId = uniqueId('user');
  const input = { tenantId: world.tenantId, userId, accountName: 'anna', trigger: 'LOGIN' as const };
  const answer = await broken(() => world.service.call(documents.StartMfaDocument, { input }));
  expect(answer).toMatchObject(failed);
  const { rowCount } = await server.database.pool.query('select from mfa_steps where user_id = $1', [userId]);
  expect(rowCount).toBe(0);
});

test('OTP-5: without randomness no authenticator is begun; after, one is', async () => {
  const userId = uniqueId('user');
  const mfaToken = await agent.startToken(world, userId);
  const begin = () => world.browser.call(documents.EnrollTotpDocument, { input: { mfaToken } });
  expect(await broken(begin)).toMatchObject(failed);
  expect(await factorRows(server, world.tenantId, userId, 'pending_auth_factors')).toEqual([]);
  expect(await agent.beginTotp(world.browser, { mfaToken })).toMatchObject({ __typename: 'TotpEnrollment' });
});

test('STEP-2: without randomness for its recovery code no authenticator is confirmed; after, it is', async () => {
  const userId = uniqueId('user');
  const mfaToken = await agent.startToken(world, userId);
  const { secret } = await agent.beginTotp(world.browser, { mfaToken });
  const input = { mfaToken, code: code(secret) };
  const confirm = () => world.browser.call(documents.VerifyTotpDocument, { input });
  expect(await broken(confirm)).toMatchObject(failed);
  expect(await factorRows(server, world.tenantId, userId)).toEqual([]);
  expect(await agent.finishEnrollment(world, mfaToken)).toMatchObject({ code: 'MFA_NOT_SATISFIED' });
  expect(await agent.verify(world.browser, input.code, mfaToken)).toMatchObject({
    recoveryCode: expect.any(String),
  });
});

test('STEP-2: without randomness no recovery code takes the place of the old, and no current code is spent', async () => {
  const user = await agent.enrolledUser(server, world);
  const self = await selfOf(server, world, user.id);
  const before = await factorRows(server, world.tenantId, user.id);
  const input = { currentCode: code(user.secret) };
  const issue = () => self.call(documents.EnrollRecoveryCodeDocument, { input });
  expect(await broken(issue)).toMatchObject(failed);
  expect(await factorRows(server, world.tenantId, user.id)).toEqual(before);
  expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({ totp_failures: 0 });
  expect(await issue()).toMatchObject({
    data: { enrollRecoveryCodeAuthFactor: { recoveryCode: expect.any(String) } },
  });
});
