import { setTimeout as sleep } from 'node:timers/promises';
import type { RequestContext } from '../caller/context.ts';
import { refusalMs } from '../shared/limits.ts';
import type { InvalidCode, TooManyAttempts } from './factor-error.type.ts';

/**
 * Answers that a code is refused, at a moment after the call came that is the same for a wrong code, a
 * used one, a user without factors and one never seen (security.md OTP-4). That all of them do the same
 * work is not enough: a row that is there takes longer to read than one that is not.
 */
export async function refused<T extends InvalidCode | TooManyAttempts>(
  { receivedAt }: RequestContext,
  refusal: T,
): Promise<T> {
  await sleep(Math.ceil(Math.max(0, receivedAt + refusalMs - performance.now())));
  return refusal;
}
