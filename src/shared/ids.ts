import { randomInt } from 'node:crypto';
import { v7 } from 'uuid';
import type { Clock } from './clock.ts';

/** Makes identifiers. Ids name things and grant nothing: what grants is a token or a code. */
export interface Ids {
  /** A UUIDv7 (RFC 9562 section 5.7): ordered by the clock's milliseconds, and in one by when it was made. */
  next(): string;
}

/** Of the counter's 32 bits, the random start leaves half to count with [RFC 9562 section 6.2]. */
const firstSeqMax = 2 ** 31;

export function uuidV7Ids(clock: Clock): Ids {
  let msecs = Number.NaN;
  let seq = 0;
  return {
    next() {
      const now = clock.now().getTime();
      seq = now === msecs ? seq + 1 : randomInt(firstSeqMax);
      msecs = now;
      return v7({ msecs, seq });
    },
  };
}

/** When a UUIDv7 was made [RFC 9562 section 5.7]. */
export const madeAt = (id: string): Date => new Date(Number.parseInt(id.replace(/-/g, '').slice(0, 12), 16));

/** All UUIDv7 that were made before a moment are smaller, all others are not. */
export function firstIdAt(at: Date): string {
  const hex = at.getTime().toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}
