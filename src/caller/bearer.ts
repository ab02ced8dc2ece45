import { errors, type JWTHeaderParameters, type JWTPayload, jwtVerify } from 'jose';
import type { Clock } from '../shared/clock.ts';
import { unauthenticated, unavailable } from '../shared/errors.ts';
import { bearerAgeHoursMax, bearerCharsMax, clockToleranceSeconds } from '../shared/limits.ts';
import { isPrintable, isUserId } from '../shared/text.ts';
import { type Boundary, Caller } from './caller.ts';
import { type KeySource, KeysUnavailable } from './jwks.ts';

export interface BearerSettings {
  issuer: string;
  audience: string;
  claimApplication: string;
  claimTenant: string;
  claimScope: string;
}

/** Signatures we accept: asymmetric only, so that whoever checks a token cannot make one [RFC 8725 3.1]. */
const algorithms = ['ES256', 'ES384', 'EdDSA', 'RS256', 'PS256'];

/** RFC 9068 calls access tokens at+jwt; other issuers say JWT or nothing. Everything else is another kind of token. */
const tokenTypes = new Set([undefined, 'jwt', 'at+jwt']);

export type Authenticate = (authorization: string | undefined) => Promise<Caller | null>;

/**
 * Makes the function that turns an Authorization header into a Caller.
 * @returns null without a header
 * @throws UNAUTHENTICATED for anything but a good token, without saying what was wrong with it;
 *   UNAVAILABLE when the keys to check it cannot be had
 */
export function createAuthenticate(settings: BearerSettings, keys: KeySource, clock: Clock): Authenticate {
  return async (authorization) => {
    if (authorization === undefined) return null;
    const token = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization)?.[1];
    if (token === undefined || token.length > bearerCharsMax) throw unauthenticated();
    try {
      const { payload, protectedHeader } = await jwtVerify(token, (header) => keys.find(header), {
        algorithms,
        issuer: settings.issuer,
        audience: settings.audience,
        requiredClaims: ['iss', 'aud', 'exp', 'iat', 'sub'],
        maxTokenAge: bearerAgeHoursMax * 3600,
        clockTolerance: clockToleranceSeconds,
        currentDate: clock.now(),
      });
      return callerOf(payload, protectedHeader, settings);
    } catch (error) {
      if (error instanceof KeysUnavailable) throw unavailable(error);
      if (error instanceof errors.JOSEError) throw unauthenticated();
      // Web Crypto refuses some malformed keys and signatures with errors of its own.
      if (error instanceof TypeError || error instanceof DOMException) throw unauthenticated();
      throw error;
    }
  };
}

function callerOf(claims: JWTPayload, header: JWTHeaderParameters, settings: BearerSettings): Caller {
  const type =
    typeof header.typ === 'string' ? header.typ.toLowerCase().replace(/^application\//, '') : header.typ;
  if (!tokenTypes.has(type)) throw unauthenticated();
  if (typeof claims.sub !== 'string' || !isUserId(claims.sub)) throw unauthenticated();
  // jose looks for ours in a list and lets the rest of it be anything.
  if (!isTextOrTexts(claims.aud)) throw unauthenticated();
  return new Caller(claims.sub, boundaryOf(claims, settings), scopesOf(claims[settings.claimScope]));
}

/** A claim that is there but says nothing usable must never widen what the caller reaches. */
function boundaryOf(claims: JWTPayload, settings: BearerSettings): Boundary {
  const applicationId = boundaryClaim(claims, settings.claimApplication);
  const tenantId = boundaryClaim(claims, settings.claimTenant);
  if (applicationId === undefined) {
    if (tenantId !== undefined) throw unauthenticated();
    return { kind: 'installation' };
  }
  return tenantId === undefined
    ? { kind: 'application', applicationId }
    : { kind: 'tenant', applicationId, tenantId };
}

function boundaryClaim(claims: JWTPayload, name: string): string | undefined {
  if (!Object.hasOwn(claims, name)) return undefined;
  const value = claims[name];
  if (typeof value !== 'string' || value.trim() === '' || !isPrintable(value)) throw unauthenticated();
  return value;
}

function scopesOf(claim: unknown): string[] {
  if (claim === undefined) return [];
  if (!isTextOrTexts(claim)) throw unauthenticated();
  return typeof claim === 'string' ? claim.split(' ').filter((scope) => scope !== '') : claim;
}

const isTextOrTexts = (claim: unknown): claim is string | string[] =>
  typeof claim === 'string' || (Array.isArray(claim) && claim.every((item) => typeof item === 'string'));
