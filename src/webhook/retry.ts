import { secondsAfter } from '../shared/clock.ts';
import { webhookGiveUpHours, webhookRetryJitter, webhookRetrySeconds } from '../shared/limits.ts';

/** A delivery that an attempt has just failed for. */
export interface FailedDelivery {
  /** Its attempts, this one included. */
  attempts: number;
  queuedAt: Date;
}

/**
 * When is tried again after a failed attempt; null when the delivery is dead.
 *
 * 1. The wait grows with the failures of the lane in a row, so that an endpoint that is down is asked
 *    ever more seldom, whichever delivery is first in line.
 * 2. After one more attempt than there are waits, the delivery is dead.
 * 3. So is one that has waited as long behind others: what piles up at an endpoint that is down stays
 *    bounded, and everything was tried once at least.
 * @param failures of the lane in a row, this one included
 * @param random at least 0 and less than 1
 */
export function nextAttemptAt(
  { attempts, queuedAt }: FailedDelivery,
  failures: number,
  now: Date,
  random: number,
): Date | null {
  const isOld = now >= secondsAfter(queuedAt, webhookGiveUpHours * 3600);
  if (isOld || attempts > webhookRetrySeconds.length) return null;
  const wait = webhookRetrySeconds[Math.min(failures, webhookRetrySeconds.length) - 1] ?? 0;
  return secondsAfter(now, wait * (1 + webhookRetryJitter * (2 * random - 1)));
}
