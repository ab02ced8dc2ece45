import type { Database } from './db/connection.ts';
import { countOf, inTransaction, type RawBuilder, rowOf, sql } from './db/sql.ts';
import type { Failed } from './shared/background.ts';
import { type Clock, secondsAfter } from './shared/clock.ts';
import {
  finishedStepHours,
  idempotencyHours,
  janitorBatchRowsMax,
  janitorIntervalSeconds,
  webhookDeadDays,
  webhookDeliveredDays,
} from './shared/limits.ts';

/*
 * What is over is deleted: open steps and pending factors that expired, idempotency keys that are
 * forgotten, webhooks that were delivered or given up long ago. Nothing depends on it; every rule looks at the moments themselves.
 */

/**
 * Deletes what is over, in batches that hold no lock for long.
 * @param isStopped asked between two batches
 * @returns how many rows went
 */
export async function cleanUp(
  database: Database,
  clock: Clock,
  isStopped: () => boolean = () => false,
): Promise<number> {
  const now = clock.now();
  const stepsBefore = secondsAfter(now, -finishedStepHours * 3600);
  const keysBefore = secondsAfter(now, -idempotencyHours * 3600);
  const deliveredBefore = secondsAfter(now, -webhookDeliveredDays * 86_400);
  const deadBefore = secondsAfter(now, -webhookDeadDays * 86_400);
  const isOver = sql`settled_at < ${deliveredBefore} and (state = 'DELIVERED' or settled_at < ${deadBefore})`;
  const deleteOver = (table: string, key: readonly string[], over: RawBuilder<unknown>) =>
    deleteInBatches(database, table, key, over, isStopped);
  return (
    (await deleteOver('mfa_steps', ['tenant_id', 'id'], sql`expires_at < ${stepsBefore}`)) +
    (await deleteOver('pending_auth_factors', ['tenant_id', 'id'], sql`expires_at < ${now}`)) +
    (await deleteOver('idempotency_keys', ['id'], sql`created_at < ${keysBefore}`)) +
    (await deleteOver('webhook_deliveries', ['tenant_id', 'endpoint_id', 'seal', 'ordinal'], isOver))
  );
}

/**
 * One server at a time: another finds the lock taken, and leaves the work to whoever has it.
 * @param key the columns of the primary key
 */
async function deleteInBatches(
  database: Database,
  table: string,
  key: readonly string[],
  over: RawBuilder<unknown>,
  isStopped: () => boolean,
): Promise<number> {
  const columns = sql.join(key.map((column) => sql.ref(column)));
  let deleted = 0;
  while (!isStopped()) {
    const count = await inTransaction(database.fork(), async (em) => {
      const lock = await rowOf(
        em,
        sql<{ mine: boolean }>`select pg_try_advisory_xact_lock(${janitorLock}::bigint) as mine`,
      );
      if (!lock?.mine) return 0;
      return countOf(
        em,
        sql`delete from ${sql.table(table)} where (${columns}) in (
          select ${columns} from ${sql.table(table)} where ${over} limit ${janitorBatchRowsMax}) and ${over}`,
      );
    });
    deleted += count;
    if (count < janitorBatchRowsMax) break;
  }
  return deleted;
}

/** Any fixed number that no other lock has. */
const janitorLock = 4_717_321_907;

/** Cleans up now and then, until stopped. Several servers may do so at once. */
export function startJanitor(
  database: Database,
  clock: Clock,
  failed: Failed,
  intervalMs = janitorIntervalSeconds * 1000,
): { stop(): Promise<void> } {
  let stopped = false;
  let running: Promise<unknown> | null = null;
  const timer = setInterval(() => {
    running ??= cleanUp(database, clock, () => stopped)
      .catch((error) => failed('janitor', error, 'the clean-up failed; it is tried again later'))
      .finally(() => {
        running = null;
      });
  }, intervalMs);
  timer.unref();
  return {
    async stop() {
      stopped = true;
      clearInterval(timer);
      await running;
    },
  };
}
