import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { ownerConnectTimeoutMs } from '../shared/limits.ts';
import { type Database, openDatabase, type Schema } from './connection.ts';

/** Any fixed number: whoever migrates a database takes the same lock. */
const migrationLock = 4_717_321_905n;

/** The database's schema is older or newer than this server. */
export class SchemaMismatch extends Error {
  override name = 'SchemaMismatch';
}

/**
 * Brings the schema up to date. Several servers may call it at once: one migrates, the others wait
 * and find nothing left to do.
 * @param signal ends the waiting
 * @returns the names of the migrations that ran
 * @throws SchemaMismatch when the database is newer than this server; the signal's reason
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
    signal,
  );

/**
 * Keeps everybody else from changing the schema meanwhile.
 * @param work gets the session that holds the lock: it outlives the transactions of others and ends with
 *   the process, whatever happens
 */
export async function withMigrationLock<T>(
  url: string,
  work: (session: Client) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const session = new Client({
    connectionString: url,
    application_name: 'cufflink migrate',
    connectionTimeoutMillis: ownerConnectTimeoutMs,
    keepAlive: true,
  });
  session.on('error', () => {});
  await session.connect();
  try {
    await lock(session, signal);
    return await work(session);
  } finally {
    await session.end();
  }
}

/** By asking again and again: a wait inside the database could not be given up. */
async function lock(session: Client, signal?: AbortSignal): Promise<void> {
  for (;;) {
    signal?.throwIfAborted();
    const { rows } = await session.query('select pg_try_advisory_lock($1) as mine', [migrationLock]);
    if (rows[0].mine) return;
    await sleep(100);
  }
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
