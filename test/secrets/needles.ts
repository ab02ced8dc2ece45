import { base32 } from '@scure/base';
import { base32Decode } from '../setup/totp.ts';

/* What a secret looks like when it leaks: as it is, or in one of the forms that software gives to it. */

export type Kind = 'TOTP secret' | 'recovery code' | 'MFA token' | 'JWT' | 'key' | 'sealed secret' | 'text';

export interface Secret {
  kind: Kind;
  value: string | Buffer;
}

/** A secret in one form; in small letters, as is what it is looked for in. */
export interface Needle {
  kind: Kind;
  form: string;
  text: string;
}

export function needlesOf({ kind, value }: Secret): Needle[] {
  const texts = typeof value === 'string' ? textsOf(kind, value) : [];
  const bytes = typeof value === 'string' ? bytesOf(kind, value) : [value];
  const forms: [string, string][] = [
    ...texts.flatMap((text): [string, string][] => [
      ['raw', text],
      ['JSON', JSON.stringify(text).slice(1, -1)],
      ['URL', encodeURIComponent(text)],
    ]),
    ...[...texts.map((text) => Buffer.from(text)), ...bytes].flatMap(encodings),
  ];
  // Too short to be a leak: it would be found by chance.
  const telling = forms.filter(([, text]) => text.length >= 12);
  return telling.map(([form, text]) => ({ kind, form, text: text.toLowerCase() }));
}

/** The parts of a secret that are secret by themselves. */
function textsOf(kind: Kind, value: string): string[] {
  // Behind the random part stands the tenant's id, which anybody may know.
  if (kind === 'MFA token') return [value.split('.')[0] ?? value];
  if (kind === 'JWT') return [value, value.split('.')[2] ?? value];
  // These are typed and shown in either case.
  if (kind === 'TOTP secret') return [value, value.toLowerCase()];
  if (kind !== 'recovery code') return [value];
  const plain = value.replace(/[- ]/g, '');
  return [value, value.toLowerCase(), plain.toUpperCase(), plain.toLowerCase()];
}

/** What a text stands for. */
function bytesOf(kind: Kind, value: string): Buffer[] {
  if (kind === 'TOTP secret') return [base32Decode(value)];
  if (kind === 'MFA token') return [Buffer.from(value.split('.')[0] ?? '', 'base64url')];
  if (kind === 'JWT') return [Buffer.from(value.split('.')[2] ?? '', 'base64url')];
  return [];
}

function encodings(bytes: Buffer): [string, string][] {
  const base64 = shifts(bytes, 3, 6, (shifted) => shifted.toString('base64'));
  const base64url = shifts(bytes, 3, 6, (shifted) => shifted.toString('base64url'));
  return [
    ['hex', bytes.toString('hex')],
    ['percent', bytes.toString('hex').replace(/../g, '%$&')],
    ['bytes', [...bytes].join(',')],
    ...base64.map((text): [string, string] => ['base64', text]),
    ...base64.map((text): [string, string] => ['base64 in a URL', encodeURIComponent(text)]),
    ...base64url.map((text): [string, string] => ['base64url', text]),
    ...shifts(bytes, 5, 5, (shifted) => base32.encode(shifted)).map((text): [string, string] => [
      'base32',
      text,
    ]),
  ];
}

/**
 * The encoded forms of bytes that stand somewhere inside of others: one for each place that the first
 * can have in a group. Characters that the neighbours have a part in are left out.
 */
function shifts(
  bytes: Buffer,
  groupBytes: number,
  charBits: number,
  encode: (bytes: Buffer) => string,
): string[] {
  return Array.from({ length: groupBytes }, (_, before) => {
    const first = Math.ceil((before * 8) / charBits);
    const end = Math.floor(((before + bytes.length) * 8) / charBits);
    return encode(Buffer.concat([Buffer.alloc(before), bytes])).slice(first, end);
  });
}

/** What is found of secrets in a text. */
export function found(needles: readonly Needle[], text: string): string[] {
  const small = text.toLowerCase();
  return needles.filter((needle) => small.includes(needle.text)).map(({ kind, form }) => `${kind}, ${form}`);
}

/** Codes of six digits that stand for themselves in a text; moments and the parts of ids are none. */
export function foundCodes(codes: Iterable<string>, text: string): string[] {
  const plain = text.replace(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:[\d.]+/g, '');
  const standing = new Set(plain.match(/(?<![\w.-])\d{6}(?![\w.-])/g));
  return [...codes].filter((code) => standing.has(code));
}
