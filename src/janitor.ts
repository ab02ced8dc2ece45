import type { Log } from './caller/context.ts';
import type { Database } from './db/connection.ts';
import { countOf, type RawBuilder, sql } from './db/sql.ts';
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

/** Deletes what is over, in batches that hold no lock for long. @returns how many rows went */
export async function cleanUp(database: Database, clock: Clock): Promise<number> {
  const now = clock.now();
  const stepsBefore = secondsAfter(now, -finishedStepHours * 3600);
  const keysBefore = secondsAfter(now, -idempotencyHours * 3600);
  const deliveredBefore = secondsAfter(now, -webhookDeliveredDays * 86_400);
  const deadBefore = secondsAfter(now, -webhookDeadDays * 86_400);
  const isOver = sql`settled_at < ${deliveredBefore} and (state = 'DELIVERED' or settled_at < ${deadBefore})`;
  return (
    (await deleteInBatches(database, 'mfa_steps', sql`expires_at < ${stepsBefore}`)) +
    (await deleteInBatches(database, 'pending_auth_factors', sql`expires_at < ${now}`)) +
    (await deleteInBatches(database, 'idempotency_keys', sql`created_at < ${keysBefore}`)) +
    (await deleteInBatches(database, 'webhook_deliveries', isOver))
  );
}

async function deleteInBatches(
  database: Database,
  table: string,
  over: RawBuilder<unknown>,
): Promise<number> {
  const em = database.fork();
  let deleted = 0;
  for (;;) {
    const count = await countOf(
      em,
      sql`delete from ${sql.table(table)} where ctid in (
        select ctid from ${sql.table(table)} where ${over} limit ${janitorBatchRowsMax} for update skip locked)`,
    );
    deleted += count;
    if (count < janitorBatchRowsMax) return deleted;
  }
}

/** Cleans up now and then, until stopped. Several servers may do so at once. */
export function startJanitor(
  database: Database,
  clock: Clock,
  log: Pick<Log, 'warn'>,
): { stop(): Promise<void> } {
  let running: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    running = cleanUp(database, clock).catch((error: Error) =>
      log.warn({ type: error.name }, 'the clean-up failed; it is tried again later'),
    );
  }, janitorIntervalSeconds * 1000);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
