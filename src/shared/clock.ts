/**
 * The one clock of the process. Every rule that depends on time takes it as an argument;
 * SQL never calls `now()`, so that a shifted clock shifts every rule alike.
 */
export interface Clock {
  now(): Date;
}

/** The system's clock, shifted by `offsetSeconds` (tests only; production refuses a shift). */
export function systemClock(offsetSeconds = 0): Clock {
  return { now: () => new Date(Date.now() + offsetSeconds * 1000) };
}

export const secondsAfter = (at: Date, seconds: number): Date => new Date(at.getTime() + seconds * 1000);
