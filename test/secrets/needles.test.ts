import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { base32 } from '@scure/base';
import fc from 'fast-check';
import { found, foundCodes, needlesOf, type Secret } from './needles.ts';

/* The search that the tests of leaks rely on finds what it is for. */

const around = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes));
const totp = base32.encode(randomBytes(20));
const secrets: [Secret, string | Buffer][] = [
  [{ kind: 'TOTP secret', value: totp }, totp],
  [{ kind: 'TOTP secret', value: totp }, Buffer.from(base32.decode(totp))],
  [{ kind: 'recovery code', value: 'ABCD-EFGH-JKMN-PQRS-TVWX' }, 'abcdefghjkmnpqrstvwx'],
  [{ kind: 'MFA token', value: `${randomBytes(32).toString('base64url')}.dA` }, ''],
  [{ kind: 'key', value: randomBytes(32) }, ''],
];
const planted = secrets.map(([secret, as]) => {
  const { value } = secret;
  const leaked = as || (typeof value === 'string' ? (value.split('.')[0] ?? '') : value);
  return [secret, Buffer.from(leaked)] as const;
});

describe.each(planted)('LOG-1: a leaked secret is found: %#', (secret, leaked) => {
  const needles = needlesOf(secret);

  test.each<[string, (bytes: Buffer) => string]>([
    ['base64', (bytes) => bytes.toString('base64')],
    ['base64url', (bytes) => bytes.toString('base64url')],
    ['base32', (bytes) => base32.encode(bytes)],
    ['hex', (bytes) => bytes.toString('hex')],
    ['bytes', (bytes) => JSON.stringify(bytes)],
  ])('wherever it stands in what is written as %s', (_form, write) => {
    fc.assert(
      fc.property(around, around, (before, after) => {
        expect(found(needles, write(Buffer.concat([before, leaked, after])))).not.toEqual([]);
      }),
    );
  });

  test('and is not where it is not', () => {
    expect(found(needles, randomBytes(10_000).toString('base64'))).toEqual([]);
  });
});

test('LOG-1: a code is found where it stands for itself, and nowhere else', () => {
  for (const text of ['123456', '{"code":"123456"}', 'code 123456, again', '[123456]']) {
    expect(foundCodes(['123456'], text)).toEqual(['123456']);
  }
  for (const text of ['1234567', '0.123456', 'a123456', '2026-01-01T00:00:00.123456+00:00', '4-123456-8']) {
    expect(foundCodes(['123456'], text)).toEqual([]);
  }
});
