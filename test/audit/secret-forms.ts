/* Every kind of secret that somebody may send in the place of an id, in every form in which it is accepted or shown. */

const recoveryCodes = ['0123456789ABCDEFGHJK', 'ZYXWVTSRQPNMKJHGFEDC', 'OIL3456789ABCDEFGHJK'];
const totpSecret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
const random = 'aB3-_xYz0123456789abcdefghijABCDEFGHIJ01234';

const grouped = (text: string, separator: string): string => text.match(/.{1,4}/g)?.join(separator) ?? text;

const written = (text: string): string[] =>
  ['', '-', ' '].flatMap((separator) => {
    const groups = grouped(text, separator);
    return [groups, groups.toLowerCase()];
  });

/** @returns rows of kind and text */
export const secretForms = (): [string, string][] =>
  Object.entries({
    'a recovery code': [
      ...recoveryCodes.flatMap(written),
      '0123-4567 89ab-CDEF GHJK',
      ' 0123456789ABCDEFGHJK ',
      '0-1-2-3-4-5-6-7-8-9-A-B-C-D-E-F-G-H-J-K',
    ],
    'a TOTP secret': written(totpSecret),
    'an otpauth URI': [
      `otpauth://totp/Acme:ada?secret=${totpSecret}&issuer=Acme`,
      'otpauth:totp',
      'OTPAUTH://totp/x',
      'otpauth%3A%2F%2Ftotp%2Fx',
    ],
    'a TOTP code': ['123456', '000000', '123 456', '123-456', ' 123456'],
    'an MFA token': [random, `${random}.YWI`, `token=${random}.YWI`],
    'a webhook secret': [
      'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      'whsec_abc',
      'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G+/A=',
    ],
    'a JWT': [
      'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl',
      'eyJhbGciOiJFUzI1NiJ9',
      'Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl',
    ],
  }).flatMap(([kind, texts]) => texts.map((text): [string, string] => [kind, text]));
