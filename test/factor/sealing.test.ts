import { createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair } from 'jose';
import { createService } from '../../src/service.ts';
import { VerifyRecoveryCodeDocument, VerifyTotpDocument } from '../generated/documents.ts';
import { publicUrl, startTestServer, TestClock, type TestServer } from '../setup/harness.ts';
import { base32Decode, codeAt } from '../setup/totp.ts';
import {
  beginTotp,
  type EnrolledUser,
  enrolledUser,
  type SignInWorld,
  signInWorld,
  startToken,
  verify,
} from '../signin/user-agent.ts';
import { countersOf, factorRows, redeem, selfOf } from './agent.ts';

interface Key {
  id: string;
  key: Buffer;
}

const clock = new TestClock();
const newKey = (id: string): Key => ({ id, key: randomBytes(32) });
const [oldKey, nextKey] = [newKey('old'), newKey('next')];

/** A server on the same database and clock that was given these keys. */
async function serverWith(encryptionKeys: readonly Key[]): Promise<TestServer> {
  const service = await createService({
    clock,
    encryptionKeys,
    assertionKey: await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey),
    publicUrl,
    redirectOrigins: [],
  });
  return startTestServer({ clock, service });
}

let server: TestServer;
let world: SignInWorld;
let user: EnrolledUser;
beforeAll(async () => {
  server = await serverWith([oldKey]);
  world = await signInWorld(server);
});
beforeEach(async () => {
  user = await enrolledUser(server, world);
});
afterAll(() => server.stop());

const right = (secret = user.secret) => codeAt(secret, clock.now());
const totpRow = async (where: SignInWorld, { id }: { id: string }) => {
  const row = (await factorRows(server, where.tenantId, id)).find(({ type }) => type === 'TOTP');
  if (row === undefined) throw new Error('no factor');
  return row;
};

describe('a sealed secret', () => {
  test('CRY-1: is AES-256-GCM with a nonce of 96 bits, bound to tenant, user and factor', async () => {
    const { id, key_id: keyId, secret } = await totpRow(world, user);
    expect(keyId).toBe('old');
    expect(secret).toHaveLength(12 + 20 + 16);
    const key = Buffer.from(hkdfSync('sha256', oldKey.key, '', 'cufflink seal', 32));
    const opened = (place: readonly string[]) => {
      const decipher = createDecipheriv('aes-256-gcm', key, secret.subarray(0, 12));
      decipher.setAAD(Buffer.from(JSON.stringify(place)));
      decipher.setAuthTag(secret.subarray(32));
      return Buffer.concat([decipher.update(secret.subarray(12, 32)), decipher.final()]);
    };
    expect(opened([world.tenantId, user.id, id])).toEqual(base32Decode(user.secret));
    expect(() => opened([world.tenantId, user.id, user.id])).toThrow();
    expect(() => opened([world.tenantId, id, id])).toThrow();
    expect(() => opened([world.applicationId, user.id, id])).toThrow();
  });

  test('CRY-1: has a nonce of its own each time', async () => {
    const { rows } = await server.database.pool.query<{ nonces: number; factors: number }>(
      `select count(distinct substr(secret, 1, 12))::int as nonces, count(*)::int as factors
       from auth_factors where type = 'TOTP' and tenant_id = $1`,
      [world.tenantId],
    );
    expect(rows[0]?.factors).toBeGreaterThan(1);
    expect(rows[0]?.nonces).toBe(rows[0]?.factors);
  });
});

describe('ciphertexts that were swapped', () => {
  const failed = { status: 500, data: null, errors: [{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }] };

  /** Nobody gets in with any code, nothing is counted, and nothing is said. */
  async function expectClosed(
    where: SignInWorld,
    victim: EnrolledUser,
    codes: readonly string[],
  ): Promise<void> {
    const mfaToken = await startToken(where, victim.id);
    for (const code of codes) {
      const answer = await where.browser.call(VerifyTotpDocument, { input: { mfaToken, code } });
      expect(answer).toMatchObject(failed);
      expect(JSON.stringify(answer.errors)).not.toMatch(/decrypt|authenticate|cipher|key|secret/i);
    }
    expect(await countersOf(server, where.tenantId, victim.id)).toMatchObject({ totp_failures: 0 });
  }

  const put = (where: SignInWorld, { id }: { id: string }, column: string, value: unknown) =>
    server.database.pool.query(
      `update auth_factors set ${column} = $3 where tenant_id = $1 and user_id = $2 and type = 'TOTP'`,
      [where.tenantId, id, value],
    );

  test('CRY-1: between two users do not open, not even with the id of the factor', async () => {
    const thief = await enrolledUser(server, world);
    const { id, secret } = await totpRow(world, thief);
    await put(world, user, 'secret', secret);
    await expectClosed(world, user, [right(thief.secret), right()]);
    await put(world, user, 'id', id);
    await expectClosed(world, user, [right(thief.secret), right()]);
    expect(server.logs()).not.toContain(thief.secret);
  });

  test('CRY-1: between the tenants of one user id do not open', async () => {
    const second = await signInWorld(server);
    const twin = await enrolledUser(server, second, user.id);
    const [mine, other] = [await totpRow(world, user), await totpRow(second, twin)];
    await put(world, user, 'secret', other.secret);
    await put(second, twin, 'secret', mine.secret);
    await expectClosed(world, user, [right(twin.secret), right()]);
    await expectClosed(second, twin, [right(user.secret), right(twin.secret)]);
  });

  test('CRY-1: between the factors of one user do not open', async () => {
    const self = await selfOf(server, world, user.id);
    const begun = await beginTotp(self, { currentCode: right() });
    clock.advance(30);
    const [pending] = await factorRows(server, world.tenantId, user.id, 'pending_auth_factors');
    await put(world, user, 'secret', pending?.secret);
    await expectClosed(world, user, [right(begun.secret), right()]);
  });

  test.each([0, 15, 47])('CRY-1: do not open with byte %d altered', async (position) => {
    const { secret } = await totpRow(world, user);
    secret[position] = (secret[position] ?? 0) ^ 1;
    await put(world, user, 'secret', secret);
    await expectClosed(world, user, [right()]);
  });

  test('CRY-1: or cut short do not open', async () => {
    for (const length of [0, 11, 28, 47]) {
      await put(world, user, 'secret', (await totpRow(world, user)).secret.subarray(0, length));
      await expectClosed(world, user, [right()]);
    }
  });

  test("CRY-1: the digest of another's recovery code makes neither code right", async () => {
    const thief = await enrolledUser(server, world);
    await server.database.pool.query(
      `update auth_factors f set secret = o.secret from auth_factors o
       where f.tenant_id = $1 and f.user_id = $2 and f.type = 'RECOVERY_CODE'
         and o.tenant_id = $1 and o.user_id = $3 and o.type = 'RECOVERY_CODE'`,
      [world.tenantId, user.id, thief.id],
    );
    const mfaToken = await startToken(world, user.id);
    for (const code of [thief.recoveryCode, user.recoveryCode]) {
      expect(await redeem(world.browser, mfaToken, code as string)).toMatchObject({ code: 'INVALID_CODE' });
    }
  });
});

describe('several keys', () => {
  test('CRY-1: the old one opens, the first seals', async () => {
    const rotating = await serverWith([nextKey, oldKey]);
    const browser = rotating.callerWith(null);
    expect(await verify(browser, right(), await startToken(world, user.id))).toMatchObject({
      factor: { id: user.factorId },
    });
    const recoveryCode = user.recoveryCode as string;
    expect(await redeem(browser, await startToken(world, user.id), recoveryCode)).toMatchObject({
      __typename: 'FactorVerified',
    });
    const fresh = await enrolledUser(rotating, { ...world, browser });
    const rows = await factorRows(server, world.tenantId, fresh.id);
    expect(rows.map(({ key_id: keyId }) => keyId)).toEqual(['next', 'next']);
    await rotating.stop();
  });

  test('CRY-1: a server that has only the old one accepts no code of what the new one sealed', async () => {
    const rotating = await serverWith([nextKey, oldKey]);
    const fresh = await enrolledUser(rotating, { ...world, browser: rotating.callerWith(null) });
    await rotating.stop();
    const mfaToken = await startToken(world, fresh.id);
    const failed = { status: 500, data: null, errors: [{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }] };
    const input = { mfaToken, code: right(fresh.secret) };
    expect(await world.browser.call(VerifyTotpDocument, { input })).toMatchObject(failed);
    const redemption = { mfaToken, recoveryCode: fresh.recoveryCode as string };
    expect(await world.browser.call(VerifyRecoveryCodeDocument, { input: redemption })).toMatchObject(failed);
    expect(await countersOf(server, world.tenantId, fresh.id)).toMatchObject({
      totp_failures: 0,
      recovery_failures: 0,
    });
  });

  test('CRY-1: another key under a known id opens nothing', async () => {
    const mistaken = await serverWith([newKey('old')]);
    const mfaToken = await startToken(world, user.id);
    const answer = await mistaken
      .callerWith(null)
      .call(VerifyTotpDocument, { input: { mfaToken, code: right() } });
    expect(answer).toMatchObject({ status: 500, data: null });
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({ totp_failures: 0 });
    await mistaken.stop();
  });
});
