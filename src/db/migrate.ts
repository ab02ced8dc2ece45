import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { migrationTellMs, migrationWaitMsMax, ownerConnectTimeoutMs } from '../shared/limits.ts';
import { type Database, openDatabase, type Schema } from './connection.ts';

/** Any fixed number: whoever migrates a database takes the same lock. */
const migrationLock = 4_717_321_905n;

/** The database's schema is older or newer than this server. */
export class SchemaMismatch extends Error {
  override name = 'SchemaMismatch';
}

/** Somebody else changes the schema for longer than one waits; the message says who. */
export class SchemaInUse extends Error {
  override name = 'SchemaInUse';
}

/**
 * Brings the schema up to date. Several servers may call it at once: one migrates, the others wait
 * and find nothing left to do.
 * @param signal ends the waiting
 * @returns the names of the migrations that ran
 * @throws SchemaMismatch when the database is newer than this server; SchemaInUse; the signal's reason
 */
export const migrate = (url: string, schema: Schema, signal?: AbortSignal): Promise<string[]> =>
  withMigrationLock(
    url,
    async (session) => {
      const database = await openDatabase({ url, schema, unlimited: true, poolConnectionsMax: 2 });
      try {
        assertNotNewer(schema, await executedMigrations(database));
        const executed = (await database.orm.migrator.up()).map(({ name }) => name);
        await schema.prepare(session);
        return executed;
      } finally {
        await database.close();
      }
    },
    { ...(signal && { signal }) },
  );

interface Waits {
  signal?: AbortSignal;
  /** After so long it is told for whom is waited, once. */
  tellMs?: number;
  msMax?: number;
  warn?: (message: string) => void;
}

/**
 * Keeps everybody else from changing the schema meanwhile.
 * @param work gets the session that holds the lock: it outlives the transactions of others and ends with
 *   the process, whatever happens
 * @throws SchemaInUse, or the signal's reason
 */
export async function withMigrationLock<T>(
  url: string,
  work: (session: Client) => Promise<T>,
  waits: Waits = {},
): Promise<T> {
  const session = new Client({
    connectionString: url,
    application_name: 'cufflink migrate',
    // What lends a connection per transaction refuses this, and would keep the lock when we are gone.
    options: '-c statement_timeout=0',
    connectionTimeoutMillis: ownerConnectTimeoutMs,
    keepAlive: true,
  });
  session.on('error', () => {});
  await session.connect();
  try {
    await lock(session, waits);
    return await work(session);
  } finally {
    await session.end();
  }
}

/** By asking again and again: a wait inside the database could not be given up. */
async function lock(
  session: Client,
  { signal, tellMs = migrationTellMs, msMax = migrationWaitMsMax, warn = console.warn }: Waits,
): Promise<void> {
  const began = performance.now();
  let isTold = false;
  for (;;) {
    signal?.throwIfAborted();
    const { rows } = await session.query('select pg_try_advisory_lock($1) as mine', [migrationLock]);
    if (rows[0].mine) return;
    const waitedMs = performance.now() - began;
    if (waitedMs >= msMax) throw new SchemaInUse(await sentenceOf(session, msMax));
    if (!isTold && waitedMs >= tellMs) {
      const { who } = await holderOf(session);
      warn(`Waiting for another session that changes the schema: ${who}.`);
      isTold = true;
    }
    await sleep(100);
  }
}

async function sentenceOf(session: Client, waitedMs: number): Promise<string> {
  const { pid, who } = await holderOf(session);
  return (
    `Another session has been changing the schema for ${Math.round(waitedMs / 1000)} s: ${who}. Wait until it is done, or where it does nothing any more ` +
    `(a connection that a pooler kept), end it with "select pg_terminate_backend(${pid ?? 'its pid'})"; then run this again.`
  );
}

/** Who holds the lock, as far as our user may see it. */
async function holderOf(session: Client): Promise<{ pid: number | null; who: string }> {
  const { rows } = await session.query<{ pid: number; who: string }>(
    `select l.pid, concat_ws(', ', 'pid ' || l.pid, nullif(a.application_name, ''), 'user ' || a.usename,
        'from ' || host(a.client_addr), a.state, 'since ' || to_char(a.backend_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')) as who
     from pg_locks l left join pg_stat_activity a using (pid)
     where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and (l.classid::int8 << 32 | l.objid::int8) = $1
       and l.database = (select oid from pg_database where datname = current_database()) limit 1`,
    [migrationLock],
  );
  // It may just have let go.
  return rows[0] ?? { pid: null, who: 'one that is gone just now' };
}

/**
 * Refuses to serve on a schema that is older or newer than this server.
 * @throws SchemaMismatch saying what to do
 */
export async function assertSchemaIsKnown(database: Database): Promise<void> {
  const executed = await executedMigrations(database);
  assertNotNewer(database.schema, executed);
  const missing = database.schema.migrations.filter(({ name }) => !executed.includes(name));
  if (missing.length > 0) {
    throw new SchemaMismatch(
      `The database lacks ${missing.map(({ name }) => name).join(', ')}. Run "npm run migrate", or start with MIGRATE=on.`,
    );
  }
}

function assertNotNewer(schema: Schema, executed: readonly string[]): void {
  const unknown = executed.filter((name) => !schema.migrations.some((known) => known.name === name));
  if (unknown.length > 0) {
    throw new SchemaMismatch(
      `The database is newer than this server: it has ${unknown.join(', ')}. Start a server of that version.`,
    );
  }
}

async function executedMigrations({ pool }: Database): Promise<string[]> {
  const found = await pool.query("select to_regclass('mikro_orm_migrations') is not null as found");
  if (!found.rows[0].found) return [];
  const { rows } = await pool.query<{ name: string }>('select name from mikro_orm_migrations');
  return rows.map(({ name }) => name);
}
