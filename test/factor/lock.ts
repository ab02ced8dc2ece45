import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { databaseUrl } from '../setup/harness.ts';
import { isDistributed } from '../setup/nodes.mjs';

/*
 * Races in a chosen order: a connection of the test's own holds a row until everybody who is meant
 * to has lined up behind it.
 */

interface Statement {
  text: string;
  values: unknown[];
}

interface Held {
  /** Resolves once so many connections wait for the rows, directly or behind each other. */
  waiting(count: number): Promise<void>;
  /** Lets them go. */
  release(): Promise<unknown>;
}

/**
 * Does `work` while a connection of its own holds rows.
 * @param lock a statement that locks rows, with its values
 * @param url another database than the run's, as somebody who may look at all sessions
 */
export async function holding<T>(
  lock: Statement,
  work: (held: Held) => Promise<T>,
  url = databaseUrl(),
): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('begin');
    await client.query(lock);
    return await work({
      waiting: (count) => waiting(client, count),
      release: () => client.query('commit'),
    });
  } finally {
    await client.end();
  }
}

/**
 * Starts calls one after another, each once the one before waits for a row that is locked, and lets
 * them all go.
 */
export const lineUp = <T extends readonly unknown[]>(
  lock: Statement,
  ...calls: { [K in keyof T]: () => Promise<T[K]> }
): Promise<T> =>
  holding(lock, async (held) => {
    const started: Promise<unknown>[] = [];
    for (const call of calls) {
      started.push(call());
      await held.waiting(started.length);
    }
    await held.release();
    return (await Promise.all(started)) as unknown as T;
  });

async function waiting(client: pg.Client, count: number): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    // Within a transaction, PostgreSQL shows the connections there were at first.
    await client.query('select pg_stat_clear_snapshot()');
    const { rows } = await client.query<{ waiting: number }>(whoWaits);
    if ((rows[0]?.waiting ?? 0) >= count) return;
    await sleep(5);
  }
  throw new Error('Nobody waits for the row.');
}

/** Connections that wait for this one, directly or behind each other. */
const whoWaits = isDistributed
  ? // On whichever node.
    `with recursive behind(pid) as (
      select citus_backend_gpid() union
      select w.waiting_gpid from citus_lock_waits w, behind b where w.blocking_gpid = b.pid
    ) select count(*)::int - 1 as waiting from behind`
  : `with recursive behind(pid) as (
      select pg_backend_pid() union
      select a.pid from pg_stat_activity a, behind b where a.wait_event_type = 'Lock' and b.pid = any(pg_blocking_pids(a.pid))
    ) select count(*)::int - 1 as waiting from behind`;

/** Locks a user's row, as everything does that changes its factors. */
export const userRow = (tenantId: string, userId: string): Statement => ({
  text: 'select from users where tenant_id = $1 and id = $2 for update',
  values: [tenantId, userId],
});

/** Locks the user's TOTP factor. */
export const totpRow = (tenantId: string, userId: string): Statement => ({
  text: "select from auth_factors where tenant_id = $1 and user_id = $2 and type = 'TOTP' for update",
  values: [tenantId, userId],
});

/** Locks a step. */
export const stepRow = (tenantId: string, stepId: string): Statement => ({
  text: 'select from mfa_steps where tenant_id = $1 and id = $2 for update',
  values: [tenantId, stepId],
});
