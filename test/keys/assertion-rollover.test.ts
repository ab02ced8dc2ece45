import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { readSomeEnv } from '../../src/env.ts';
import { createService } from '../../src/service.ts';
import { publicUrl, startTestServer, TestClock, type TestServer, uniqueId } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import {
  beginTotp,
  finishEnrollment,
  type SignInWorld,
  signInWorld,
  startToken,
  verify,
} from '../signin/user-agent.ts';
import { newKey } from './ring.ts';

/*
 * Two servers on one database, whose settings are replaced one server after the other, as the runbook in
 * docs/operations.md has it.
 */

const clock = new TestClock();
const sealing = newKey('sealing');
let home: TestServer;
let world: SignInWorld;
beforeAll(async () => {
  clock.fix(new Date());
  home = await startTestServer({ clock });
  world = await signInWorld(home);
});
afterAll(() => home.stop());

const newJwk = (kid?: string) => ({
  ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
  ...(kid && { kid }),
});

/** A server that was started with this ASSERTION_KEY. */
async function serverWith(assertionKey: object): Promise<TestServer> {
  const env = readSomeEnv(['ASSERTION_KEY'], { ASSERTION_KEY: JSON.stringify(assertionKey) });
  const service = await createService({
    clock,
    encryptionKeys: [sealing],
    assertionKey: env.assertionKey ?? {},
    publishedAssertionKeys: env.publishedAssertionKeys,
    publicUrl,
    redirectOrigins: [],
  });
  return startTestServer({ clock, service, database: home.database });
}

/** An assertion that a server signed for somebody who enrolled. */
async function assertionOf(server: TestServer): Promise<string> {
  const there = {
    ...world,
    service: server.callerWith(world.service.token),
    browser: server.callerWith(null),
  };
  const mfaToken = await startToken(there, uniqueId('user'));
  const { secret } = await beginTotp(there.browser, { mfaToken });
  await verify(there.browser, codeAt(secret, clock.now()), mfaToken);
  const completed = await finishEnrollment(there, mfaToken);
  if (completed.__typename !== 'MfaCompleted') throw new Error(JSON.stringify(completed));
  return completed.assertion;
}

/** What a sign-in service does that fetched the keys of a server just now. */
const verifies = (assertion: string, server: TestServer): Promise<boolean> =>
  jwtVerify(assertion, createRemoteJWKSet(new URL(`${server.url}/.well-known/jwks.json`)), {
    issuer: publicUrl,
    audience: world.applicationId,
    typ: 'mfa-assertion+jwt',
    currentDate: clock.now(),
  }).then(
    () => true,
    () => false,
  );

const kidOf = (assertion: string) => decodeProtectedHeader(assertion).kid;

test('CRY-2: while the assertion key is replaced, server by server, each assertion verifies with the keys of any server', async () => {
  const [before, after] = [newJwk('before'), newJwk()];
  const stages = [before, { keys: [before, after] }, { keys: [after, before] }, after];
  let servers = [await serverWith(before), await serverWith(before)];
  const signers = new Set<string | undefined>();
  for (const [stage, setting] of stages.entries()) {
    if (stage === 0) continue;
    for (const n of [0, 1]) {
      // One server has the new setting, the other has it not yet.
      const next = await serverWith(setting);
      await servers[n]?.stop();
      servers = servers.map((server, m) => (m === n ? next : server));
      for (const signer of servers) {
        const assertion = await assertionOf(signer);
        signers.add(kidOf(assertion));
        // The last stage waits until what the old key signed has expired; then nobody signs with it.
        expect([stage, n, await Promise.all(servers.map((server) => verifies(assertion, server)))]).toEqual([
          stage,
          n,
          [true, true],
        ]);
      }
    }
  }
  expect(signers.size).toBe(2);
  for (const server of servers) await server.stop();
});

test('CRY-2: an assertion of before verifies during the change, and not once its key is gone', async () => {
  const [before, after] = [newJwk(), newJwk()];
  const old = await serverWith(before);
  const assertion = await assertionOf(old);
  await old.stop();
  const during = await serverWith({ keys: [after, before] });
  expect(await verifies(assertion, during)).toBe(true);
  await during.stop();
  const done = await serverWith(after);
  expect(await verifies(assertion, done)).toBe(false);
  await done.stop();
});

test('CRY-2: of no key anything private is published, and each is under its kid or its thumbprint', async () => {
  const server = await serverWith({ keys: [newJwk(), newJwk('second')] });
  const response = await fetch(`${server.url}/.well-known/jwks.json`);
  const { keys } = (await response.json()) as { keys: Record<string, string>[] };
  for (const key of keys) {
    expect(Object.keys(key).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
  }
  expect(keys.map(({ kid }) => kid)).toEqual([expect.stringMatching(/^[\w-]{43}$/), 'second']);
  await server.stop();
});
