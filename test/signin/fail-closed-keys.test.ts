import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair } from 'jose';
import { createService } from '../../src/service.ts';
import { deleteFactor, factorRows, newRecoveryCode } from '../factor/agent.ts';
import {
  DeleteAuthFactorDocument,
  EnrollRecoveryCodeDocument,
  EnrollTotpDocument,
  FinishChallengeDocument,
  FinishEnrollmentDocument,
  VerifyTotpDocument,
} from '../generated/documents.ts';
import { publicUrl, startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import { selfOf, stepOf } from './step-tools.ts';
import {
  beginTotp,
  enrolledUser,
  finishChallenge,
  finishEnrollment,
  type SignInWorld,
  signInWorld,
  startToken,
  verify,
} from './user-agent.ts';

let server: TestServer;
/** On the same database: it can't sign assertions, and has none of the keys that secrets are sealed with. */
let keyless: TestServer;
let world: SignInWorld;
beforeAll(async () => {
  server = await startTestServer();
  server.clock.fix(new Date());
  const { publicKey } = await generateKeyPair('ES256', { extractable: true });
  const service = await createService({
    clock: server.clock,
    encryptionKeys: [{ id: 'another', key: randomBytes(32) }],
    assertionKey: await exportJWK(publicKey),
    publicUrl,
    redirectOrigins: [],
  });
  keyless = await startTestServer({ clock: server.clock, service });
  world = await signInWorld(server);
});
afterAll(async () => {
  await keyless.stop();
  await server.stop();
});

const failed = {
  status: 500,
  data: null,
  errors: [
    {
      message: 'Something went wrong on our side; it is logged under the x-request-id of this answer.',
      extensions: { code: 'INTERNAL_SERVER_ERROR' },
    },
  ],
};
const code = (secret: string) => codeAt(secret, server.clock.now());
const service = () => keyless.callerWith(world.service.token);
const browser = () => keyless.callerWith(null);

describe('a server whose assertion key does not sign', () => {
  test('STEP-2: answers no assertion for an enrollment, and finishes nothing', async () => {
    const mfaToken = await startToken(world, uniqueId('user'));
    const { secret } = await beginTotp(world.browser, { mfaToken });
    await verify(world.browser, code(secret), mfaToken);
    expect(await service().call(FinishEnrollmentDocument, { input: { mfaToken } })).toMatchObject(failed);
    expect((await stepOf(server, mfaToken)).finished_at).toBeNull();
    expect(await finishEnrollment(world, mfaToken)).toMatchObject({ __typename: 'MfaCompleted' });
  });

  test('STEP-2: answers no assertion for a challenge, and finishes nothing', async () => {
    const user = await enrolledUser(server, world);
    const mfaToken = await startToken(world, user.id);
    await verify(world.browser, code(user.secret), mfaToken);
    expect(await service().call(FinishChallengeDocument, { input: { mfaToken } })).toMatchObject(failed);
    expect((await stepOf(server, mfaToken)).finished_at).toBeNull();
    expect(await finishChallenge(world, mfaToken)).toMatchObject({ __typename: 'MfaCompleted' });
  });
});

describe('a server without the key of a secret', () => {
  test('CRY-2, THR-3: shows and confirms no authenticator that was begun, and takes none of its attempts', async () => {
    const userId = uniqueId('user');
    const mfaToken = await startToken(world, userId);
    const { secret } = await beginTotp(world.browser, { mfaToken });
    expect(await browser().call(EnrollTotpDocument, { input: { mfaToken } })).toMatchObject(failed);
    for (let n = 0; n < 6; n += 1) {
      const input = { mfaToken, code: code(secret) };
      expect(await browser().call(VerifyTotpDocument, { input })).toMatchObject(failed);
    }
    expect(await factorRows(server, world.tenantId, userId, 'pending_auth_factors')).toMatchObject([
      { failures: 0 },
    ]);
    expect(await verify(world.browser, code(secret), mfaToken)).toMatchObject({
      __typename: 'FactorVerified',
    });
  });

  test('CRY-2: begins, issues and deletes nothing by a current code, which stays unspent', async () => {
    const user = await enrolledUser(server, world);
    const self = await selfOf(server, world, user.id);
    const there = keyless.callerWith(self.token);
    const currentCode = code(user.secret);
    const before = await factorRows(server, world.tenantId, user.id);
    for (const answer of [
      await there.call(EnrollTotpDocument, { input: { currentCode } }),
      await there.call(EnrollRecoveryCodeDocument, { input: { currentCode } }),
      await there.call(DeleteAuthFactorDocument, { input: { id: user.factorId, currentCode } }),
    ]) {
      expect(answer).toMatchObject(failed);
    }
    expect(await factorRows(server, world.tenantId, user.id)).toEqual(before);
    expect(await factorRows(server, world.tenantId, user.id, 'pending_auth_factors')).toEqual([]);
    expect(await newRecoveryCode(self, { currentCode })).toEqual(expect.any(String));
    server.clock.advance(30);
    expect(await deleteFactor(self, user.factorId, code(user.secret))).toMatchObject({
      __typename: 'UserPayload',
    });
  });
});
