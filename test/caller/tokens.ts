import { createHmac, type KeyObject, sign } from 'node:crypto';
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  SignJWT,
} from 'jose';
import type { BearerSettings } from '../../src/caller/bearer.ts';
import type { Clock } from '../../src/shared/clock.ts';
import { audience, issuer } from '../setup/harness.ts';

export const bearerSettings: BearerSettings = {
  issuer,
  audience,
  claimApplication: 'application_id',
  claimTenant: 'tenant_id',
  claimScope: 'scope',
};

/** A signing key of the issuer; `jwk` is its public half. */
export interface IssuerKey {
  alg: string;
  kid?: string;
  privateKey: CryptoKey;
  jwk: JWK;
}

export async function makeKey(alg = 'ES256', kid = alg): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { alg, kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid } };
}

export const secondsOf = (clock: Clock): number => Math.floor(clock.now().getTime() / 1000);

/** Claims that nothing is wrong with: the whole installation, for an hour. */
export const goodClaims = (clock: Clock): Record<string, unknown> => ({
  iss: issuer,
  aud: audience,
  sub: 'tester',
  iat: secondsOf(clock),
  exp: secondsOf(clock) + 3600,
  scope: 'mfa-policy:read tenant:write',
});

export const signed = (
  { alg, kid, privateKey }: IssuerKey,
  claims: Record<string, unknown>,
  header: Partial<JWTHeaderParameters> = {},
): Promise<string> => new SignJWT(claims).setProtectedHeader({ alg, kid, ...header }).sign(privateKey);

/** Signed by hand, for what no library would write. @param claims an object, or JSON text */
export function handMade(
  header: object,
  claims: object | string,
  signature: (data: Buffer) => Buffer,
): string {
  const text = typeof claims === 'string' ? claims : JSON.stringify(claims);
  const data = [JSON.stringify(header), text]
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');
  return `${data}.${signature(Buffer.from(data)).toString('base64url')}`;
}

export const es256 =
  (key: KeyObject) =>
  (data: Buffer): Buffer =>
    sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' });

export const hs256 =
  (secret: string | Buffer) =>
  (data: Buffer): Buffer =>
    createHmac('sha256', secret).update(data).digest();
