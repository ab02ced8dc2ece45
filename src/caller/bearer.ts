import { hash } from 'node:crypto';
import { type CryptoKey, errors, type JWTHeaderParameters, type JWTPayload, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../shared/clock.ts';
import { type RefusalReason, unauthenticated, unavailable } from '../shared/errors.ts';
import {
  bearerAgeHoursMax,
  bearerCharsMax,
  clockToleranceSeconds,
  verifiedTokensMax,
} from '../shared/limits.ts';
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

/** A token whose signature was checked: with which key, and when it may be taken as checked. */
interface Verified {
  header: JWTHeaderParameters;
  key: CryptoKey;
  fromMs: number;
  beforeMs: number;
  caller: Caller;
}

export type Authenticate = (authorization: string | undefined) => Promise<Caller | null>;

/**
 * Makes the function that turns an Authorization header into a Caller.
 * @returns null without a header
 * @throws UNAUTHENTICATED for anything but a good token, without saying what was wrong with it;
 *   UNAVAILABLE when the keys to check it cannot be had
 *
 * A signature is checked once for a token and a key. The key is looked up each time: one that was
 * retired, or cannot be had any more, takes its tokens with it. Tokens are known by their digest.
 */
export function createAuthenticate(settings: BearerSettings, keys: KeySource, clock: Clock): Authenticate {
  const verified = new LRUCache<string, Verified>({ max: verifiedTokensMax });
  return async (authorization) => {
    if (authorization === undefined) return null;
    const token = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization)?.[1];
    if (token === undefined || token.length > bearerCharsMax) throw unauthenticated('malformed');
    const digest = hash('sha256', token, 'base64url');
    const now = clock.now();
    try {
      const known = verified.get(digest);
      if (known && isWithin(known, now) && (await keys.find(known.header)) === known.key) return known.caller;
      const { payload, protectedHeader, key } = await jwtVerify(token, (header) => keys.find(header), {
        algorithms,
        issuer: settings.issuer,
        audience: settings.audience,
        requiredClaims: ['iss', 'aud', 'exp', 'iat', 'sub'],
        maxTokenAge: bearerAgeHoursMax * 3600,
        clockTolerance: clockToleranceSeconds,
        currentDate: now,
      });
      const caller = callerOf(payload, protectedHeader, settings);
      const times = { fromMs: now.getTime(), beforeMs: goodBeforeMs(payload) };
      verified.set(digest, { header: protectedHeader, key: key as CryptoKey, ...times, caller });
      return caller;
    } catch (error) {
      if (error instanceof KeysUnavailable) throw unavailable(error);
      if (error instanceof errors.JOSEError) throw unauthenticated(reasonOf(error));
      // Web Crypto refuses some malformed keys and signatures with errors of its own.
      if (error instanceof TypeError || error instanceof DOMException) throw unauthenticated('malformed');
      throw error;
    }
  };
}

/** In fixed words: nothing of the token. */
function reasonOf(error: errors.JOSEError): RefusalReason {
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return 'unknown key';
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'bad signature';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'wrong algorithm';
  if (error instanceof errors.JWTExpired) return error.claim === 'iat' ? 'too old' : 'expired';
  if (!(error instanceof errors.JWTClaimValidationFailed)) return 'malformed';
  if (error.reason === 'missing') return 'missing claim';
  if (error.reason !== 'check_failed') return 'bad claim';
  return failedChecks[error.claim] ?? 'bad claim';
}

const failedChecks: Readonly<Record<string, RefusalReason>> = {
  iss: 'wrong issuer',
  aud: 'wrong audience',
  nbf: 'not yet valid',
  iat: 'not yet valid',
};

/** Before it was checked first, the clock may have been set back past what the token says of its beginning. */
const isWithin = ({ fromMs, beforeMs }: Verified, now: Date): boolean =>
  fromMs <= now.getTime() && now.getTime() < beforeMs;

/** When jose would refuse it: expired, or too long ago. Both claims are required numbers. */
const goodBeforeMs = ({ exp = 0, iat = 0 }: JWTPayload): number =>
  1000 * (Math.min(exp, iat + bearerAgeHoursMax * 3600) + clockToleranceSeconds);

function callerOf(claims: JWTPayload, header: JWTHeaderParameters, settings: BearerSettings): Caller {
  const type =
    typeof header.typ === 'string' ? header.typ.toLowerCase().replace(/^application\//, '') : header.typ;
  if (!tokenTypes.has(type)) throw unauthenticated('wrong type');
  if (typeof claims.sub !== 'string' || !isUserId(claims.sub)) throw unauthenticated('bad claim');
  // jose looks for ours in a list and lets the rest of it be anything.
  if (!isTextOrTexts(claims.aud)) throw unauthenticated('bad claim');
  return new Caller(claims.sub, boundaryOf(claims, settings), scopesOf(claims[settings.claimScope]));
}

/** A claim that is there but says nothing usable must never widen what the caller reaches. */
function boundaryOf(claims: JWTPayload, settings: BearerSettings): Boundary {
  const applicationId = boundaryClaim(claims, settings.claimApplication);
  const tenantId = boundaryClaim(claims, settings.claimTenant);
  if (applicationId === undefined) {
    if (tenantId !== undefined) throw unauthenticated('bad claim');
    return { kind: 'installation' };
  }
  return tenantId === undefined
    ? { kind: 'application', applicationId }
    : { kind: 'tenant', applicationId, tenantId };
}

function boundaryClaim(claims: JWTPayload, name: string): string | undefined {
  if (!Object.hasOwn(claims, name)) return undefined;
  const value = claims[name];
  if (typeof value !== 'string' || value.trim() === '' || !isPrintable(value))
    throw unauthenticated('bad claim');
  return value;
}

function scopesOf(claim: unknown): string[] {
  if (claim === undefined) return [];
  if (!isTextOrTexts(claim)) throw unauthenticated('bad claim');
  return typeof claim === 'string' ? claim.split(' ').filter((scope) => scope !== '') : claim;
}

const isTextOrTexts = (claim: unknown): claim is string | string[] =>
  typeof claim === 'string' || (Array.isArray(claim) && claim.every((item) => typeof item === 'string'));
