import * as z from 'zod';
import {
  displayNameCharsMax,
  givenIdCharsMax,
  idempotencyKeyCharsMax,
  issuerCharsMax,
  reasonCharsMax,
  userIdCharsMax,
} from './limits.ts';

// Control characters, the line and paragraph separators, and the characters that reorder text on
// screen (Unicode TR9): none has a place in a name, and some forge what an administrator reads.
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;

const characters = (text: string): number => [...text].length;

/** True when the text can be stored and shown: well-formed Unicode without control characters. */
export const isPrintable = (text: string): boolean => text.isWellFormed() && !unprintable.test(text);

/** Ids that a caller gives (rules.md section 1). */
const givenIdPattern = new RegExp(`^[A-Za-z0-9._:@|-]{1,${givenIdCharsMax}}$`);

/** Whether a string can be the id of an application or a tenant; what cannot be one names nothing. */
export const isId = (text: string): boolean => givenIdPattern.test(text);

/** Whether a string is a UUID as we write them; what is none names nothing that we named. */
export const isUuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);

/** Whether a string can be the id of a user. */
export const isUserId = (text: string): boolean =>
  isPrintable(text) && text !== '' && characters(text) <= userIdCharsMax;

/** Text of `min` to `max` characters (code points) without control characters. */
export const printableText = (min: number, max: number) =>
  z
    .string()
    .refine(isPrintable, {
      error: 'must not contain control or bidirectional-control characters',
      abort: true,
    })
    .refine((text) => characters(text) >= min && characters(text) <= max, {
      error: `must have ${min} to ${max} characters`,
    });

export const displayName = z.string().trim().pipe(printableText(1, displayNameCharsMax));

export const givenId = z.string().regex(givenIdPattern, {
  error: `must be 1 to ${givenIdCharsMax} letters, digits or any of . _ : @ | -; leave it out to get a UUIDv7`,
});

export const idempotencyKey = printableText(1, idempotencyKeyCharsMax);

export const userId = printableText(1, userIdCharsMax);

/** Why an administrator did something to a user: kept and shown to others, so it must not be blank. */
export const reason = z.string().trim().pipe(printableText(1, reasonCharsMax));

/** Trimmed; blank and null mean none. No colon: it separates issuer and account in an otpauth label. */
export const issuer = z
  .string()
  .nullable()
  .transform((text) => text?.trim() || null)
  .pipe(
    printableText(1, issuerCharsMax)
      .refine((text) => !text.includes(':'), { error: 'must not contain a colon' })
      .nullable(),
  );

/**
 * The form in which names are ordered and searched: composed and lower-cased here, not in the
 * database, so that order and matches do not depend on a server's locale.
 */
export const nameKey = (name: string): string => name.normalize('NFC').toLowerCase();
