import type { EntityManager } from '@mikro-orm/postgresql';
import { countOf, hot, rowOf, sql, toDate } from '../db/sql.ts';
import {
  attemptsMax,
  firstWaitSeconds,
  freeAttemptsMax,
  pendingAttemptsMax,
  waitSecondsMax,
} from '../shared/limits.ts';
import { InvalidCode, TooManyAttempts } from './factor-error.type.ts';
import type { AttemptColumns } from './factor-kind.ts';

/*
 * Guesses are counted before they are looked at, in a statement that commits by itself: whatever
 * happens to the request afterwards, the attempt stays counted. The row's lock lines parallel
 * guesses up, so that no more of them are looked at than are allowed (security.md THR-1, THR-3).
 */

export interface Attempt {
  /** Wrong codes in a row, this one included, as long as it is not known to be right. */
  failures: number;
  /** From when on the next one may be made, should this one be wrong. */
  lockedUntil: Date | null;
}

/** Why an attempt was refused whatever its code, as the record tells it. */
export type RefusedFor = 'waiting' | 'disabled' | 'gone' | 'step over' | 'not allowed';

export interface UserPlace {
  tenantId: string;
  userId: string;
}

/**
 * Reserves an attempt with the user's codes of one kind; a user never seen is learned of.
 * @returns the attempt, or why the code is not looked at
 */
export async function reserveAttempt(
  em: EntityManager,
  { tenantId, userId }: UserPlace,
  columns: AttemptColumns,
  now: Date,
): Promise<Attempt | TooManyAttempts | InvalidCode> {
  const failures = sql.ref(columns.failures);
  const lockedUntil = sql.ref(columns.lockedUntil);
  const row = await rowOf(
    em,
    hot(sql<{ failures: number; lockedUntil: string | null }>`
      insert into users (tenant_id, id, created_at, ${failures}) values (${tenantId}, ${userId}, ${now}, 1)
      on conflict (tenant_id, id) do update set
        ${failures} = users.${failures} + 1,
        ${lockedUntil} = case when users.${failures} + 1 >= ${freeAttemptsMax}::int then to_timestamp(${now.getTime() / 1000}::float8
          + least(${firstWaitSeconds}::float8 * power(2, users.${failures} + 1 - ${freeAttemptsMax}::int), ${waitSecondsMax}::float8)) end
      where (users.${lockedUntil} is null or users.${lockedUntil} <= ${now}) and users.${failures} < ${attemptsMax}::int
      returning ${failures} as "failures", ${lockedUntil} as "lockedUntil"`),
  );
  if (row === null) return refusal(em, { tenantId, userId }, columns, now);
  return { failures: row.failures, lockedUntil: row.lockedUntil === null ? null : toDate(row.lockedUntil) };
}

/** Why no attempt was to be had: a wait is running, or the factor is disabled. */
async function refusal(
  em: EntityManager,
  { tenantId, userId }: UserPlace,
  columns: AttemptColumns,
  now: Date,
): Promise<TooManyAttempts | InvalidCode> {
  const row = await rowOf(
    em,
    sql<{ failures: number; lockedUntil: string | null }>`
      select ${sql.ref(columns.failures)} as "failures", ${sql.ref(columns.lockedUntil)} as "lockedUntil"
      from users where tenant_id = ${tenantId} and id = ${userId}`,
  );
  if (row === null || row.failures >= attemptsMax) return new InvalidCode(0);
  // Between the two statements the wait may have ended; then it is over now.
  return new TooManyAttempts(row.lockedUntil === null ? now : toDate(row.lockedUntil));
}

/** Gives an attempt back whose code was not looked at, for a fault of ours. */
export async function returnAttempt(
  em: EntityManager,
  { tenantId, userId }: UserPlace,
  columns: AttemptColumns,
  attempt: Attempt,
): Promise<void> {
  const failures = sql.ref(columns.failures);
  const lockedUntil = sql.ref(columns.lockedUntil);
  // A wait that somebody else's wrong code began meanwhile stays.
  await countOf(
    em,
    sql`update users set ${failures} = greatest(${failures} - 1, 0),
        ${lockedUntil} = nullif(${lockedUntil}, ${attempt.lockedUntil}::timestamptz)
      where tenant_id = ${tenantId} and id = ${userId}`,
  );
}

/**
 * Reserves one of a pending factor's few attempts.
 * @returns how many are left after it; null when none was
 */
export async function reservePendingAttempt(
  em: EntityManager,
  tenantId: string,
  factorId: string,
  now: Date,
): Promise<number | null> {
  const row = await rowOf(
    em,
    sql<{ failures: number }>`
      update pending_auth_factors set failures = failures + 1
      where tenant_id = ${tenantId} and id = ${factorId} and failures < ${pendingAttemptsMax}::int and expires_at > ${now}
      returning failures`,
  );
  return row === null ? null : pendingAttemptsMax - row.failures;
}

/** Gives one back whose code was not looked at, or not taken for a reason that is not the code's. */
export const returnPendingAttempt = (
  em: EntityManager,
  tenantId: string,
  factorId: string,
): Promise<number> =>
  countOf(
    em,
    sql`update pending_auth_factors set failures = greatest(failures - 1, 0) where tenant_id = ${tenantId} and id = ${factorId}`,
  );

/** The answer to a wrong code. */
export const wrongCode = ({ failures }: Attempt): InvalidCode =>
  new InvalidCode(Math.max(0, freeAttemptsMax - failures));

/** Whether so many wrong codes came in a row that the factor is disabled. */
export const isDisabled = (failures: number): boolean => failures >= attemptsMax;

/** The wait that is running, if one is. */
export const runningWait = (lockedUntil: Date | null, now: Date): Date | null =>
  lockedUntil !== null && lockedUntil > now ? lockedUntil : null;
