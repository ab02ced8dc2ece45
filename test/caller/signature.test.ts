import { generateKeyPairSync, KeyObject, sign } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type CryptoKey, exportSPKI, importJWK, type JWK } from 'jose';
import { createAuthenticate } from '../../src/caller/bearer.ts';
import { localKeys } from '../../src/caller/jwks.ts';
import { type BearerServer, startBearerServer } from './bearer-server.ts';
import { keySet, startKeyServer } from './key-server.ts';
import { bearerSettings, es256, goodClaims, handMade, hs256, makeKey, signed } from './tokens.ts';

/* JWT-1: who may have signed a bearer token, and how. */

const accepted = ['ES256', 'ES384', 'EdDSA', 'RS256', 'PS256'];
const alsoAsymmetric = ['ES512', 'RS384', 'RS512', 'PS384', 'PS512'];

let issuer: BearerServer;
beforeAll(async () => {
  issuer = await startBearerServer([...accepted, ...alsoAsymmetric]);
});
afterAll(() => issuer.server.stop());

test.each(accepted)('JWT-1: a signature of the issuer by %s is accepted', async (alg) => {
  await issuer.expectAccepted(await signed(issuer.keyOf(alg), goodClaims(issuer.clock)));
});

test.each(alsoAsymmetric)('JWT-1: a signature by %s is refused, though the key is published', async (alg) => {
  await issuer.expectRefused(await signed(issuer.keyOf(alg), goodClaims(issuer.clock)));
});

test.each(['RS1', 'rs256', 'ES256K', 'HS512', 'none', 'None', '', 1, null])(
  'JWT-1: a signature of the algorithm %p is refused',
  async (alg) => {
    const rsa = KeyObject.from(issuer.keyOf('RS256').privateKey);
    const token = handMade({ alg, kid: 'RS256' }, goodClaims(issuer.clock), (data) =>
      sign(alg === 'RS1' ? 'sha1' : 'sha256', data, rsa),
    );
    await issuer.expectRefused(token);
  },
);

test('JWT-1: alg none without a signature is refused', async () => {
  for (const alg of ['none', 'NONE']) {
    await issuer.expectRefused(handMade({ alg }, goodClaims(issuer.clock), () => Buffer.alloc(0)));
  }
});

test('JWT-1: HS256 with a public key as the secret is refused, in any form of the key', async () => {
  for (const alg of ['RS256', 'ES256']) {
    const { jwk, kid } = issuer.keyOf(alg);
    const publicKey = (await importJWK(jwk, alg, { extractable: true })) as CryptoKey;
    const pem = await exportSPKI(publicKey);
    const der = KeyObject.from(publicKey).export({ format: 'der', type: 'spki' });
    for (const secret of [pem, `${pem}\n`, der, JSON.stringify(jwk)]) {
      await issuer.expectRefused(handMade({ alg: 'HS256', kid }, goodClaims(issuer.clock), hs256(secret)));
    }
  }
});

test("JWT-1: a signature by a stranger's key under the issuer's key id is refused", async () => {
  await issuer.expectRefused(await signed(await makeKey('ES256', 'ES256'), goodClaims(issuer.clock)));
});

test('JWT-1: a signature covers no other claims, and no other header, than it was made for', async () => {
  const [header, , signature] = issuer.tokenWith({}).split('.');
  const [otherHeader, claims] = issuer.tokenWith({ sub: 'root' }, { typ: 'JWT' }).split('.');
  await issuer.expectRefused(`${header}.${claims}.${signature}`);
  await issuer.expectRefused(`${otherHeader}.${issuer.tokenWith({}).split('.')[1]}.${signature}`);
});

test.each(['jku', 'x5u', 'jwk', 'x5c'])(
  'JWT-1: a signature is never checked with a key that the token itself brings in %s',
  async (member) => {
    const strangers = await makeKey('ES256', 'stranger');
    const keyServer = await startKeyServer(keySet(strangers.jwk));
    const brought = {
      jku: `${keyServer.url}/jwks`,
      x5u: `${keyServer.url}/cert`,
      jwk: strangers.jwk,
      x5c: ['MIIB'],
    }[member];
    for (const kid of ['stranger', 'ES256', undefined]) {
      const header = { alg: 'ES256', kid, [member]: brought };
      const token = handMade(header, goodClaims(issuer.clock), es256(KeyObject.from(strangers.privateKey)));
      await issuer.expectRefused(token);
    }
    await keyServer.stop();
    expect(keyServer.asked).toEqual([]);
  },
);

test.each<[number, boolean]>([
  [1024, false],
  [2040, false],
  [2048, true],
])('JWT-1: a signature by an RSA key of %i bits is accepted: %p', async (modulusLength, isAccepted) => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength });
  const keys = localKeys({ keys: [{ ...(publicKey.export({ format: 'jwk' }) as JWK), kid: 'rsa' }] });
  const authenticate = createAuthenticate(bearerSettings, keys, issuer.clock);
  const token = handMade({ alg: 'RS256', kid: 'rsa' }, goodClaims(issuer.clock), (data) =>
    sign('sha256', data, privateKey),
  );
  const answer = authenticate(`Bearer ${token}`);
  if (isAccepted) await expect(answer).resolves.toMatchObject({ subject: 'tester' });
  else await expect(answer).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
});
