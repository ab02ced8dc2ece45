import { randomBytes, timingSafeEqual } from 'node:crypto';
import { sql } from '../db/sql.ts';
import { recoveryCodeGroupChars, recoveryCodeGroups } from '../shared/limits.ts';
import type { FactorKind } from './factor-kind.ts';
import { placeText } from './rows.ts';

/** Crockford's base 32: no I, L, O, U. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const codeChars = recoveryCodeGroups * recoveryCodeGroupChars;
const wellFormed = new RegExp(`^[${alphabet}]{${codeChars}}$`);

/**
 * A single-use code that stands in for a lost authenticator: 20 characters of 5 random bits. Only a
 * keyed digest is kept. It works once, which is `spent` going from 0 to 1.
 */
export const recoveryCode: FactorKind = {
  type: 'RECOVERY_CODE',
  amr: 'recovery',
  attempts: { failures: 'recovery_failures', lockedUntil: 'recovery_locked_until' },
  isAllowedBy: (policy) => policy.totpEnabled && policy.recoveryCodesEnabled,

  begin(place, keyRing) {
    // 32 divides 256: each byte's five low bits are uniform.
    const code = [...randomBytes(codeChars)].map((byte) => alphabet[byte & 31]).join('');
    const groups = code.match(new RegExp(`.{${recoveryCodeGroupChars}}`, 'g')) ?? [];
    return { kept: keyRing.digest(code, placeText(place)), shown: groups.join('-') };
  },

  verify(code, { place, secret, spent }, keyRing) {
    const { bytes } = keyRing.digest(normalized(code), placeText(place), secret.keyId);
    return timingSafeEqual(bytes, secret.bytes) && spent === 0 ? 1 : null;
  },

  // The user is who they say: they need not wait for their authenticator's turn any longer. How often
  // it was wrong in all stays counted.
  onAccepted: sql`recovery_failures = 0, recovery_locked_until = null, totp_locked_until = null`,
  usedAction: 'recovery_code.used',
};

/** Case, hyphens and spaces do not matter; letters that look like digits are read as those [Crockford]. */
function normalized(code: string): string {
  const text = code.replace(/[- ]/g, '').toUpperCase().replace(/[IL]/g, '1').replace(/O/g, '0');
  return wellFormed.test(text) ? text : '';
}
