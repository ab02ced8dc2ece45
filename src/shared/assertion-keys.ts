import { createECDH, createHash, createPublicKey } from 'node:crypto';
import * as z from 'zod';

/*
 * ASSERTION_KEY: one private P-256 JWK, or a JWK Set [RFC 7517 section 5] while it is replaced: its first
 * key signs, the others are only published, so that what they signed, or will sign, can be checked.
 */

export type P256PrivateJwk = z.infer<typeof privateJwk>;

/** A public key, with nothing private in it. */
export type P256PublicJwk = z.infer<typeof publicJwk>;

export interface AssertionKeys {
  signing: P256PrivateJwk;
  published: P256PublicJwk[];
}

const kid = z.string().min(1).optional();
const publicJwk = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string(),
  y: z.string(),
  kid,
});
const privateJwk = publicJwk.extend({ d: z.string() });

/** Prints a new key as the setting takes it; README, docs and .env.example name it too, and a test runs it. */
export const assertionKeyCommand = `node -p 'JSON.stringify(require("node:crypto").generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" }))'`;

const one = `must be a private P-256 key as a JWK: {"kty":"EC","crv":"P-256","x":…,"y":…,"d":…}; make one with: ${assertionKeyCommand}`;
const set =
  'must, as a JWK Set, be {"keys":[…]} with P-256 keys alone, of which the first is private and signs';

/** Reads the setting. What was there is in no message. */
export const assertionKeys = z.string().transform((value, check): AssertionKeys => {
  const refuse = (message: string) => {
    check.addIssue(message);
    return z.NEVER;
  };
  const given = jsonOf(value);
  const isSet =
    given !== null && typeof given === 'object' && Array.isArray((given as { keys?: unknown }).keys);
  const [first, ...others] = isSet ? (given as { keys: unknown[] }).keys : [given];
  const signing = privateKeyOf(first);
  const published = others.map(publicKeyOf);
  if (signing === null || published.includes(null)) return refuse(isSet ? set : one);
  const keys = { signing, published: published as P256PublicJwk[] };
  const ids = [signing, ...keys.published].map(kidOf);
  if (new Set(ids).size < ids.length) return refuse('must give each key a kid of its own');
  return keys;
});

/** @returns undefined for what is no JSON */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function privateKeyOf(given: unknown): P256PrivateJwk | null {
  const { data } = privateJwk.safeParse(given);
  return data !== undefined && isKeyPair(data) ? data : null;
}

/** Of a private key, its public half: two servers may be given the same keys in another order. */
function publicKeyOf(given: unknown): P256PublicJwk | null {
  const isPrivate = given !== null && typeof given === 'object' && 'd' in given;
  if (isPrivate && privateKeyOf(given) === null) return null;
  const { data } = publicJwk.safeParse(given);
  return data !== undefined && isOnCurve(data) ? data : null;
}

/**
 * Whether x and y are the public half of d: what we sign must verify with what we publish.
 * Importing the JWK would not tell, OpenSSL takes any d beside any point of the curve.
 */
function isKeyPair({ x, y, d }: P256PrivateJwk): boolean {
  const pair = createECDH('prime256v1');
  try {
    pair.setPrivateKey(Buffer.from(d, 'base64url'));
  } catch {
    return false; // no private key of the curve
  }
  const point = pair.getPublicKey(); // 04, x, y [SEC 1, 2.3.3]
  return point.subarray(1, 33).toString('base64url') === x && point.subarray(33).toString('base64url') === y;
}

function isOnCurve(jwk: P256PublicJwk): boolean {
  try {
    createPublicKey({ key: jwk, format: 'jwk' });
    return true;
  } catch {
    return false;
  }
}

/** The key's id: its own, else its thumbprint [RFC 7638]. */
const kidOf = ({ kid: given, crv, kty, x, y }: P256PublicJwk): string =>
  given ?? createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
