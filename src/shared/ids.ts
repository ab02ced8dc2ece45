import { v7 } from 'uuid';
import type { Clock } from './clock.ts';

/** Makes identifiers. Ids name things and grant nothing: what grants is a token or a code. */
export interface Ids {
  /** A UUIDv7 (RFC 9562 section 5.7): ordered by the clock's milliseconds. */
  next(): string;
}

export function uuidV7Ids(clock: Clock): Ids {
  return { next: () => v7({ msecs: clock.now().getTime() }) };
}
