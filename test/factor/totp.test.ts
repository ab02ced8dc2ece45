import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { placeText } from '../../src/factor/rows.ts';
import { totp } from '../../src/factor/totp.ts';
import { KeyRing } from '../../src/shared/key-ring.ts';
import { base32Decode, hotp } from '../setup/totp.ts';

const keyRing = new KeyRing([{ id: 'a', key: randomBytes(32) }]);
const place = { tenantId: 't', userId: 'u', id: 'f' };

/** What totp.verify says of a code, for a secret as it would be stored. */
function verified(key: Buffer, code: string, seconds: number, spent = 0): number | null {
  const secret = keyRing.seal(key, placeText(place));
  return totp.verify(code, { place, secret, spent }, keyRing, new Date(seconds * 1000));
}

describe('a TOTP code', () => {
  const rfcKey = Buffer.from('12345678901234567890');

  // RFC 6238 appendix B, SHA-1: the last six of its eight digits.
  test.each([
    [59, '287082'],
    [1111111109, '081804'],
    [1111111111, '050471'],
    [1234567890, '005924'],
    [2000000000, '279037'],
    [20000000000, '353130'],
  ])('OTP-1: at %d s is the one of RFC 6238 appendix B, %s', (seconds, code) => {
    expect(verified(rfcKey, code, seconds)).toBe(Math.floor(seconds / 30));
  });

  test('OTP-1: is accepted at its step and the one after, unless it or a later one was spent', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 20, maxLength: 20 }),
        fc.integer({ min: 10 * 30, max: 2 ** 37 }),
        fc.integer({ min: -3, max: 3 }),
        fc.option(fc.integer({ min: -3, max: 3 }), { nil: null }),
        (bytes, seconds, offset, lastSpent) => {
          const key = Buffer.from(bytes);
          const now = Math.floor(seconds / 30);
          const code = hotp(key, now + offset);
          const spent = lastSpent === null ? 0 : now + lastSpent;
          const right = [now - 1, now].filter((step) => step > spent && hotp(key, step) === code);
          const answer = verified(key, code, seconds, spent);
          expect(right.length === 0 ? [null] : right).toContain(answer);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('OTP-3: is six ASCII digits; no other text is right', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(verified(rfcKey, text, 1111111109)).toBe(text === '081804' ? 37037036 : null);
      }),
    );
  });
});

describe('a TOTP secret', () => {
  test('OTP-5: has 160 bits, and no two are alike', () => {
    const shown = Array.from({ length: 2_000 }, () => totp.begin(place, keyRing).shown);
    expect(new Set(shown).size).toBe(2_000);
    expect(shown.every((text) => /^[A-Z2-7]{32}$/.test(text) && base32Decode(text).length === 20)).toBe(true);
    // Each of the 160 bits is set in about half of them: six standard deviations are 134.
    const set = Array.from({ length: 160 }, (_, bit) =>
      shown.reduce((sum, text) => sum + (((base32Decode(text)[bit >> 3] ?? 0) >> (bit & 7)) & 1), 0),
    );
    expect(set.filter((count) => Math.abs(count - 1_000) > 135)).toEqual([]);
  });

  test('OTP-5: is stored as it is shown, sealed', () => {
    const { kept, shown } = totp.begin(place, keyRing);
    expect(keyRing.open(kept, placeText(place))).toEqual(base32Decode(shown));
    expect(kept.bytes.includes(base32Decode(shown))).toBe(false);
  });
});
