import { createHash, randomBytes } from 'node:crypto';
import type { KeyRing } from '../shared/key-ring.ts';
import { mfaTokenBytes } from '../shared/limits.ts';
import { isId } from '../shared/text.ts';

/**
 * An MFA token: 256 random bits, then the tenant's id, which only says where to look (one shard
 * holds all of a tenant) and grants nothing. Stored is the digest of the random part.
 *
 * Then comes a mark of both. It grants nothing either: it tells without a look at the database that the token
 * was issued, whether or not its step is open, so that calls with made-up tokens wait behind each other. Tokens
 * without a good one do all that others do.
 */
export interface MfaToken {
  tenantId: string;
  hash: string;
}

const tokenPattern = /^([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{2,86})(?:\.([A-Za-z0-9_-]{22}))?$/;

/** @returns the text to hand out, and what to store of it */
export function newMfaToken(tenantId: string, keyRing: KeyRing): { text: string; hash: string } {
  const random = randomBytes(mfaTokenBytes).toString('base64url');
  const marked = `${random}.${encoded(tenantId)}`;
  return { text: `${marked}.${keyRing.mark(marked)}`, hash: hashOf(random) };
}

/** Whether a token of this installation's, by its mark. */
export function isIssued(text: string, keyRing: KeyRing): boolean {
  const [, random, place, mark] = tokenPattern.exec(text) ?? [];
  return mark !== undefined && keyRing.isMarked(`${random}.${place}`, mark);
}

/** @returns null for what cannot be a token */
export function parseMfaToken(text: string): MfaToken | null {
  const [, random, place] = tokenPattern.exec(text) ?? [];
  if (random === undefined || place === undefined) return null;
  const tenantId = Buffer.from(place, 'base64url').toString('utf8');
  // Base 64 has several ways to write some ids; a token is the one text that was handed out.
  const isAsGiven = isId(tenantId) && encoded(tenantId) === place;
  return isAsGiven ? { tenantId, hash: hashOf(random) } : null;
}

const encoded = (tenantId: string): string => Buffer.from(tenantId).toString('base64url');

const hashOf = (random: string): string => createHash('sha256').update(random).digest('base64url');
