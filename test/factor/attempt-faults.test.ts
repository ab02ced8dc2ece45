import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair } from 'jose';
import { createService } from '../../src/service.ts';
import { VerifyRecoveryCodeDocument, VerifyTotpDocument } from '../generated/documents.ts';
import { publicUrl, startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { losing } from '../setup/statement-faults.ts';
import { codeAt, wrongCode } from '../setup/totp.ts';
import {
  beginTotp,
  type EnrolledUser,
  enrolledUser,
  type SignInWorld,
  signInWorld,
  startToken,
  verify,
} from '../signin/user-agent.ts';
import { countersOf, factorRows, selfOf, tally } from './agent.ts';

let server: TestServer;
/** Has the database, and not the key that the secrets are sealed with. */
let keyless: TestServer;
let world: SignInWorld;
let user: EnrolledUser;
beforeAll(async () => {
  server = await startTestServer();
  server.clock.fix(new Date());
  const service = await createService({
    clock: server.clock,
    encryptionKeys: [{ id: 'another', key: randomBytes(32) }],
    assertionKey: await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey),
    publicUrl,
    redirectOrigins: [],
  });
  keyless = await startTestServer({ clock: server.clock, service });
  world = await signInWorld(server);
});
beforeEach(async () => {
  user = await enrolledUser(server, world);
});
afterAll(async () => {
  await keyless.stop();
  await server.stop();
});

const right = () => codeAt(user.secret, server.clock.now());
const wrong = () => wrongCode(user.secret, server.clock.now());
const recorded = /insert into audit_events/;

describe('a request that fails', () => {
  test('THR-3: after a wrong code was looked at leaves the attempt counted', async () => {
    const mfaToken = await startToken(world, user.id);
    for (let n = 1; n <= 5; n += 1) {
      const answer = await losing(recorded, () =>
        world.browser.call(VerifyTotpDocument, { input: { mfaToken, code: wrong() } }),
      );
      expect(answer).toMatchObject({ status: 503, errors: [{ extensions: { code: 'UNAVAILABLE' } }] });
      expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({ totp_failures: n });
    }
    expect(await verify(world.browser, wrong(), mfaToken)).toMatchObject({ code: 'TOO_MANY_ATTEMPTS' });
  });

  test('THR-3: of 60 guesses at once that all fail, 5 are counted, and then the wait holds', async () => {
    const mfaToken = await startToken(world, user.id);
    await losing(recorded, () =>
      Promise.all(
        Array.from({ length: 60 }, () =>
          world.browser.call(VerifyTotpDocument, { input: { mfaToken, code: wrong() } }),
        ),
      ),
    );
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({ totp_failures: 5 });
    expect(await verify(world.browser, right(), mfaToken)).toMatchObject({ code: 'TOO_MANY_ATTEMPTS' });
  });

  test('THR-3: before the attempt was reserved counts nothing', async () => {
    const mfaToken = await startToken(world, user.id);
    await losing(/insert into users/, () =>
      world.browser.call(VerifyTotpDocument, { input: { mfaToken, code: wrong() } }),
    );
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({ totp_failures: 0 });
  });

  test('OTP-1: while a right code was being spent leaves it unspent, and usable', async () => {
    const mfaToken = await startToken(world, user.id);
    const code = right();
    const answer = await losing(recorded, () =>
      world.browser.call(VerifyTotpDocument, { input: { mfaToken, code } }),
    );
    expect(answer).toMatchObject({ status: 503, data: null });
    expect(await verify(world.browser, code, mfaToken)).toMatchObject({ __typename: 'FactorVerified' });
  });
});

describe('a server without the key of a secret', () => {
  const failed = {
    status: 500,
    data: null,
    errors: [{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }],
  };

  test('CRY-1, THR-3: accepts no code, wrong or right, and gives every attempt back', async () => {
    const mfaToken = await startToken(world, user.id);
    const browser = keyless.callerWith(null);
    for (const code of [right(), wrong(), right(), wrong(), right(), 'abc', right(), right()]) {
      expect(await browser.call(VerifyTotpDocument, { input: { mfaToken, code } })).toMatchObject(failed);
    }
    const recoveryCode = user.recoveryCode as string;
    for (let n = 0; n < 7; n += 1) {
      const answer = await browser.call(VerifyRecoveryCodeDocument, { input: { mfaToken, recoveryCode } });
      expect(answer).toMatchObject(failed);
    }
    expect(await countersOf(server, world.tenantId, user.id)).toEqual({
      totp_failures: 0,
      totp_locked_until: null,
      recovery_failures: 0,
      recovery_locked_until: null,
    });
    expect(await verify(world.browser, right(), mfaToken)).toMatchObject({ __typename: 'FactorVerified' });
  });

  test('THR-3: gives back what it took only: the wrong codes of others stay counted', async () => {
    const mfaToken = await startToken(world, user.id);
    const browser = keyless.callerWith(null);
    for (let n = 0; n < 4; n += 1) await verify(world.browser, wrong(), mfaToken);
    await browser.call(VerifyTotpDocument, { input: { mfaToken, code: right() } });
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({
      totp_failures: 4,
      totp_locked_until: null,
    });
    expect(await verify(world.browser, right(), mfaToken)).toMatchObject({ __typename: 'FactorVerified' });
  });

  test('CRY-1: says nothing of keys in its answer', async () => {
    const mfaToken = await startToken(world, user.id);
    const answer = await keyless
      .callerWith(null)
      .call(VerifyTotpDocument, { input: { mfaToken, code: right() } });
    expect(JSON.stringify(answer.errors)).not.toMatch(/key|cipher|decrypt|test|another/i);
  });
});

describe('guessing at a pending factor', () => {
  test('THR-1: has a counter of its own: five, and it is gone', async () => {
    const userId = uniqueId('user');
    const mfaToken = await startToken(world, userId);
    const begun = await beginTotp(world.browser, { mfaToken });
    const now = server.clock.now();
    for (const attemptsRemaining of [4, 3, 2, 1, 0]) {
      expect(await verify(world.browser, wrongCode(begun.secret, now), mfaToken)).toMatchObject({
        code: 'INVALID_CODE',
        attemptsRemaining,
      });
    }
    expect(await factorRows(server, world.tenantId, userId, 'pending_auth_factors')).toEqual([]);
    expect(await countersOf(server, world.tenantId, userId)).toMatchObject({ totp_failures: 0 });
    expect(await verify(world.browser, codeAt(begun.secret, now), mfaToken)).toMatchObject({
      code: 'INVALID_CODE',
    });
    const again = await beginTotp(world.browser, { mfaToken });
    expect(again.secret).not.toBe(begun.secret);
    expect(await verify(world.browser, codeAt(again.secret, now), mfaToken)).toMatchObject({
      __typename: 'FactorVerified',
    });
  });

  test('THR-1: of 40 at once, 5 are looked at, and none is counted for the user', async () => {
    const userId = uniqueId('user');
    const mfaToken = await startToken(world, userId);
    const begun = await beginTotp(world.browser, { mfaToken });
    const code = wrongCode(begun.secret, server.clock.now());
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => verify(world.browser, code, mfaToken)),
    );
    const counts = answers.flatMap((answer) =>
      'attemptsRemaining' in answer ? [answer.attemptsRemaining] : [],
    );
    for (const attemptsRemaining of [4, 3, 2, 1]) {
      expect(counts.filter((count) => count === attemptsRemaining).length).toBeGreaterThanOrEqual(1);
    }
    expect(await factorRows(server, world.tenantId, userId, 'pending_auth_factors')).toEqual([]);
    const failures = await server.database.pool.query(
      "select 1 from audit_events where tenant_id = $1 and user_id = $2 and action = 'mfa_challenge.failed' and detail->'pending' = 'true' and not detail ? 'refusedFor'",
      [world.tenantId, userId],
    );
    expect(failures.rowCount).toBe(5);
    expect(tally(answers)['FactorVerified']).toBeUndefined();
  });

  test('THR-1: leaves the active factor of the user alone', async () => {
    const self = await selfOf(server, world, user.id);
    await beginTotp(self, { currentCode: right() });
    for (let n = 0; n < 5; n += 1) await verify(self, wrong());
    server.clock.advance(30);
    expect(await countersOf(server, world.tenantId, user.id)).toMatchObject({ totp_failures: 0 });
    expect(await verify(world.browser, right(), await startToken(world, user.id))).toMatchObject({
      __typename: 'FactorVerified',
    });
  });
});

describe('confirming a pending factor, when the request fails', () => {
  let userId: string;
  let mfaToken: string;
  let secret: string;
  beforeEach(async () => {
    userId = uniqueId('user');
    mfaToken = await startToken(world, userId);
    ({ secret } = await beginTotp(world.browser, { mfaToken }));
  });

  const rightOne = () => codeAt(secret, server.clock.now());
  const wrongOne = () => wrongCode(secret, server.clock.now());
  const confirm = (code: string, at: TestServer = server) =>
    at.callerWith(null).call(VerifyTotpDocument, { input: { mfaToken, code } });
  const failures = async () => {
    const { rows } = await server.database.pool.query<{ failures: number }>(
      'select failures from pending_auth_factors where tenant_id = $1 and user_id = $2',
      [world.tenantId, userId],
    );
    return rows.map((row) => row.failures);
  };
  const unavailable = { status: 503, data: null };
  const faulty = { status: 500, data: null, errors: [{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }] };
  const confirmed = { __typename: 'FactorVerified' };

  test('THR-3: before the code was looked at, every attempt is given back', async () => {
    for (const code of [rightOne(), wrongOne(), rightOne(), 'abc', '', rightOne(), wrongOne()]) {
      expect(await confirm(code, keyless)).toMatchObject(faulty);
      expect(await failures()).toEqual([0]);
    }
    expect(await verify(world.browser, rightOne(), mfaToken)).toMatchObject(confirmed);
  });

  test('THR-3: what others guessed wrong stays counted when an attempt is given back', async () => {
    for (let n = 0; n < 4; n += 1) await verify(world.browser, wrongOne(), mfaToken);
    expect(await confirm(rightOne(), keyless)).toMatchObject(faulty);
    expect(await failures()).toEqual([4]);
    expect(await verify(world.browser, wrongOne(), mfaToken)).toMatchObject({ attemptsRemaining: 0 });
    expect(await failures()).toEqual([]);
  });

  test('THR-3: before the attempt was reserved, nothing is counted', async () => {
    const answer = await losing(/update pending_auth_factors set failures = failures \+ 1/, () =>
      confirm(rightOne()),
    );
    expect(answer).toMatchObject(unavailable);
    expect(await failures()).toEqual([0]);
  });

  test('THR-3: after a wrong code was looked at, the attempt stays counted, and five are all there are', async () => {
    for (let n = 1; n <= 5; n += 1) {
      expect(await losing(recorded, () => confirm(wrongOne()))).toMatchObject(unavailable);
      expect(await failures()).toEqual([n]);
    }
    expect(await verify(world.browser, rightOne(), mfaToken)).toMatchObject({
      code: 'INVALID_CODE',
      attemptsRemaining: 0,
    });
    expect(await factorRows(server, world.tenantId, userId)).toEqual([]);
    expect(await countersOf(server, world.tenantId, userId)).toMatchObject({ totp_failures: 0 });
    const anew = await beginTotp(world.browser, { mfaToken });
    expect(anew.secret).not.toBe(secret);
    expect(await verify(world.browser, codeAt(anew.secret, server.clock.now()), mfaToken)).toMatchObject(
      confirmed,
    );
  });

  test('THR-3: while a right code activates it, the attempt stays counted and the code unspent', async () => {
    expect(await losing(recorded, () => confirm(rightOne()))).toMatchObject(unavailable);
    expect(await failures()).toEqual([1]);
    expect(await factorRows(server, world.tenantId, userId)).toEqual([]);
    expect(await verify(world.browser, rightOne(), mfaToken)).toMatchObject(confirmed);
  });

  test('THR-3: of 40 guesses at once that all fail after the look, 5 are counted', async () => {
    await losing(recorded, () => Promise.all(Array.from({ length: 40 }, () => confirm(wrongOne()))));
    expect(await failures()).toEqual([5]);
    expect(await verify(world.browser, rightOne(), mfaToken)).toMatchObject({ code: 'INVALID_CODE' });
  });
});
