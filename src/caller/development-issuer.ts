import { importJWK, type JSONWebKeySet, type JWK, SignJWT } from 'jose';
import type { Clock } from '../shared/clock.ts';

/** The issuer of development: a key of this folder, for machines where no identity provider is at hand. */
export interface DevelopmentIssuer {
  issuer: string;
  audience: string;
  keys: JSONWebKeySet;
  /** @param hours how long it is valid, at most 24 */
  mint(claims: TokenClaims, hours?: number): Promise<string>;
}

export interface TokenClaims {
  sub: string;
  scope: string;
  application_id?: string;
  tenant_id?: string;
}

export async function developmentIssuer(
  key: JWK,
  clock: Clock,
  names: { application: string; tenant: string; scope: string },
): Promise<DevelopmentIssuer> {
  const { d: _private, ...publicKey } = key;
  const signingKey = await importJWK(key, 'ES256');
  const issuer = 'urn:cufflink:development';
  const audience = 'cufflink';
  return {
    issuer,
    audience,
    keys: { keys: [publicKey] },
    async mint({ sub, scope, application_id, tenant_id }, hours = 24) {
      const now = Math.floor(clock.now().getTime() / 1000);
      const claims = {
        [names.scope]: scope,
        ...(application_id !== undefined && { [names.application]: application_id }),
        ...(tenant_id !== undefined && { [names.tenant]: tenant_id }),
      };
      return new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', kid: key.kid, typ: 'JWT' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(sub)
        .setIssuedAt(now)
        .setExpirationTime(now + Math.ceil(hours * 3600))
        .sign(signingKey);
    },
  };
}
