import { randomBytes, timingSafeEqual } from 'node:crypto';
import { base32 } from '@scure/base';
import { generateSync } from 'otplib';
import { sql } from '../db/sql.ts';
import type { KeyRing } from '../shared/key-ring.ts';
import {
  otpauthUriCharsMax,
  totpDigits,
  totpPastSteps,
  totpPeriodSeconds,
  totpSecretBytes,
} from '../shared/limits.ts';
import type { FactorKind } from './factor-kind.ts';
import { type FactorPlace, placeText } from './rows.ts';

/** Exactly six ASCII digits: nothing is trimmed, mapped or completed. */
const wellFormed = new RegExp(`^[0-9]{${totpDigits}}$`);

/**
 * Codes of an authenticator app [RFC 6238]: SHA-1, six digits, 30 s. The current time step and the
 * one before it are accepted, never one at or before the last that was.
 */
export const totp: FactorKind = {
  type: 'TOTP',
  amr: 'otp',
  attempts: { failures: 'totp_failures', lockedUntil: 'totp_locked_until' },
  isAllowedBy: (policy) => policy.totpEnabled,

  begin(place, keyRing) {
    const secret = randomBytes(totpSecretBytes);
    return { kept: keyRing.seal(secret, placeText(place)), shown: base32Of(secret) };
  },

  verify(code, { place, secret, spent }, keyRing, now) {
    const key = keyRing.open(secret, placeText(place));
    const given = Buffer.from(wellFormed.test(code) ? code : 'x'.repeat(totpDigits));
    const newest = Math.floor(now.getTime() / 1000 / totpPeriodSeconds);
    // All are computed and compared, whichever is right and whatever was spent: the time is the same.
    const right = Array.from({ length: totpPastSteps + 1 }, (_, past) => newest - past).filter((step) =>
      timingSafeEqual(given, Buffer.from(codeOf(key, step))),
    );
    return right.find((step) => step > spent) ?? null;
  },

  onAccepted: sql`totp_failures = 0, totp_locked_until = null`,
  usedAction: 'auth_factor.used',
};

const codeOf = (secret: Uint8Array, step: number): string =>
  generateSync({
    strategy: 'totp',
    secret,
    algorithm: 'sha1',
    digits: totpDigits,
    period: totpPeriodSeconds,
    epoch: step * totpPeriodSeconds,
  });

/** Shows the secret of a pending factor again, for a page that was reloaded. */
export const reopenTotpSecret = (
  place: FactorPlace,
  kept: Parameters<KeyRing['open']>[0],
  keyRing: KeyRing,
): string => base32Of(keyRing.open(kept, placeText(place)));

/** 160 bits are 32 characters of base 32, so there is no padding. */
const base32Of = (secret: Uint8Array): string => base32.encode(secret);

/**
 * The URI that authenticator apps scan (Key Uri Format). Every part is encoded, and the issuer has
 * no colon: the first one of the label ends it. Names that would not fit into a QR code are cut.
 */
export function otpauthUri(secret: string, issuer: string, accountName: string): string {
  const names: [string[], string[]] = [[...issuer.replaceAll(':', ' ')], [...accountName]];
  for (;;) {
    const [shownIssuer, shownAccount] = names.map((name) => encodeURIComponent(name.join('')));
    const uri = `otpauth://totp/${shownIssuer}:${shownAccount}?secret=${secret}&issuer=${shownIssuer}&algorithm=SHA1&digits=${totpDigits}&period=${totpPeriodSeconds}`;
    if (uri.length <= otpauthUriCharsMax) return uri;
    (names[0].length > names[1].length ? names[0] : names[1]).pop();
  }
}
