import {
  mfaTokenBytes,
  recoveryCodeGroupChars,
  recoveryCodeGroups,
  totpDigits,
  totpSecretBytes,
} from '../shared/limits.ts';

/**
 * Whether a text could be a secret that was sent in the place of an id: what must not be shown to
 * whoever reads the record. An id that only looks like one is kept back too; a UUID never does.
 */
export function looksSecret(text: string): boolean {
  const rest = text.replace(uuids, '');
  // Whoever types a code or base 32 may group it.
  const plain = rest.replace(/[\s\p{Pd}]/gu, '');
  if (hexUuid.test(plain)) return false;
  return typed.test(plain) || written.test(rest);
}

const uuids = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi;
const hexUuid = /^[0-9a-f]{32}$/i;

/** A TOTP code; a recovery code, also with letters that are read as digits; a TOTP secret in base 32. */
const typed = new RegExp(
  [
    `^\\d{${totpDigits}}$`,
    `^[0-9A-TV-Z]{${recoveryCodeGroups * recoveryCodeGroupChars}}$`,
    `^[A-Z2-7]{${(totpSecretBytes * 8) / 5}}$`,
  ].join('|'),
  'i',
);

const tokenChars = Math.ceil((mfaTokenBytes * 8) / 6);

/** An otpauth URI, a webhook's secret, a JWT; 256 bits in base 64, as an MFA token begins. */
const written = new RegExp(
  `(?i:otpauth|whsec_)|(?<![A-Za-z0-9])eyJ|(?<![\\w+/-])[\\w+/-]{${tokenChars}}(?![\\w+/-])`,
);
