import { createHmac } from 'node:crypto';

/*
 * A TOTP computation of the tests' own [RFC 6238, RFC 4226], so that the server's is not judged by
 * itself.
 */

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export function base32Decode(text: string): Buffer {
  let bits = '';
  for (const character of text.replace(/=+$/, ''))
    bits += alphabet.indexOf(character).toString(2).padStart(5, '0');
  const bytes = bits.match(/.{8}/g) ?? [];
  return Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2)));
}

export function hotp(key: Buffer, counter: number): string {
  const message = Buffer.alloc(8);
  message.writeBigUInt64BE(BigInt(counter));
  const mac = createHmac('sha1', key).update(message).digest();
  const offset = (mac[19] as number) & 0xf;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** The code that an authenticator app shows. @param steps how many time steps ahead (or behind) */
export const codeAt = (secret: string, at: Date, steps = 0): string =>
  hotp(base32Decode(secret), Math.floor(at.getTime() / 30_000) + steps);

/** A code that is right at none of the steps around a moment. */
export function wrongCode(secret: string, at: Date): string {
  const right = new Set([-2, -1, 0, 1, 2].map((steps) => codeAt(secret, at, steps)));
  for (let n = 0; ; n += 1) {
    const code = String(n).padStart(6, '0');
    if (!right.has(code)) return code;
  }
}
