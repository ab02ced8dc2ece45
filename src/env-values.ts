import * as z from 'zod';
import { isLoopbackName } from './shared/loopback.ts';

/*
 * How the values of settings are written. Messages go on from the setting's name, and no value is in one.
 */

export const toggle = z
  .enum(['on', 'off'], { error: 'must be on or off' })
  .transform((value) => value === 'on');
export const text = z.string().min(1, { error: 'must not be empty' });

export const url = (...protocols: string[]) =>
  text.refine((value) => protocols.includes(URL.parse(value)?.protocol ?? ''), {
    error: `must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
  });

export const commaSeparated = <T extends z.ZodType<unknown, string>>(item: T) =>
  z
    .string()
    .transform((value) =>
      value
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== ''),
    )
    .pipe(z.array(item));

const isOrigin = (value: string): boolean => URL.parse(value)?.origin === value;
export const origin = text.refine(isOrigin, {
  error: 'must be origins such as https://app.example.com, without a path, separated by commas',
});

/** Part of a content security policy: nothing in it may end a directive. */
export const connectOrigin = text.refine(
  (value) => isOrigin(value) && !isInsecure(value) && /^[\w:/.[\]-]+$/.test(value),
  {
    error: 'must be https origins (http only for loopback), without a path, separated by commas',
  },
);

/** Makes the base64 of a key; README and .env.example name it too. */
export const encryptionKeyCommand = 'openssl rand -base64 32';

export const encryptionKeys = commaSeparated(
  text.transform((value, check) => {
    const [, id, base64] = /^([\w-]{1,32}):([A-Za-z0-9+/]+={0,2})$/.exec(value) ?? [];
    const key = Buffer.from(base64 ?? '', 'base64');
    if (id === undefined || key.length !== 32) {
      check.addIssue(
        `must be id:base64 of 32 bytes each, separated by commas; make one with: ${encryptionKeyCommand}`,
      );
      return z.NEVER;
    }
    return { id, key };
  }),
)
  .refine((keys) => keys.length > 0, { error: 'must name at least one key' })
  .refine((keys) => new Set(keys.map(({ id }) => id)).size === keys.length, {
    error: 'must give each key an id of its own',
  });

/**
 * A few bytes over and over, a count, or text: what somebody typed or filled in, or a passphrase. Of random keys
 * less than one in 10^13 looks so: 32 bytes hold about 30 different ones, and so do their steps.
 */
export function isEvidentlyNotRandom(key: Buffer): boolean {
  const steps = key.map((byte, index) => byte - (key[index - 1] ?? 0));
  const isText = key.every((byte) => byte >= 0x20 && byte < 0x7f);
  return isText || [key, steps].some((bytes) => new Set(bytes).size < 16);
}

/** Digits only: coercion would read blanks as 0, and hexadecimal. */
export const wholeNumber = (pattern: RegExp, error: string) =>
  z.string().regex(pattern, { error }).transform(Number);

/** As OpenTelemetry writes them: name=value, comma-separated, values percent-encoded. */
export const otlpHeaders = z.string().transform((value, check) => {
  const headers: Record<string, string> = {};
  for (const part of value.split(',')) {
    const [, name, encoded] = /^\s*([\w-]+)\s*=\s*([!-~]+)\s*$/.exec(part) ?? [];
    const decoded = encoded === undefined ? null : decodeOrNull(encoded);
    if (name === undefined || decoded === null) {
      check.addIssue('must be name=value, comma-separated, with values percent-encoded');
      return z.NEVER;
    }
    headers[name] = decoded;
  }
  return headers;
});

function decodeOrNull(encoded: string): string | null {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return null;
  }
}

/** An address that neither is https nor leads to this machine. */
export function isInsecure(value: string | undefined): boolean {
  const parsed = value === undefined ? null : URL.parse(value);
  return parsed !== null && parsed.protocol !== 'https:' && !isLoopbackName(parsed.hostname);
}
