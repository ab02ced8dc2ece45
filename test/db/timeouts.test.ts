import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { databaseSchema } from '../../src/database-schema.ts';
import { type Database, openDatabase } from '../../src/db/connection.ts';
import * as limits from '../../src/shared/limits.ts';
import { CreateApplicationDocument } from '../generated/documents.ts';
import { dropDatabases, newMigratedDatabase, withClient } from '../process/databases.ts';
import { startTestServer, uniqueId } from '../setup/harness.ts';

/* PostgreSQL's limits on time, on connections as the server opens them: no test of another file has them. */

let url: string;
let database: Database;
beforeEach(async () => {
  url = await newMigratedDatabase();
  database = await openDatabase({ url, schema: databaseSchema });
});
afterEach(async () => {
  await database.close();
  await dropDatabases();
});

test('REL-2: every connection of the pool has them, as PostgreSQL says', async () => {
  const clients = await Promise.all([database.pool.connect(), database.pool.connect()]);
  try {
    for (const client of clients) {
      const { rows } = await client.query<{ name: string; setting: string; unit: string }>(
        "select name, setting, unit from pg_settings where name ~ '^(statement|lock|idle_in_transaction_session)_timeout$'",
      );
      expect(Object.fromEntries(rows.map(({ name, setting, unit }) => [name, `${setting} ${unit}`]))).toEqual(
        {
          statement_timeout: `${limits.statementTimeoutMs} ms`,
          lock_timeout: `${limits.lockTimeoutMs} ms`,
          idle_in_transaction_session_timeout: `${limits.idleInTransactionTimeoutMs} ms`,
        },
      );
    }
  } finally {
    for (const client of clients) client.release();
  }
});

test('REL-2: a transaction that is left idle is ended, and what it held is free', async () => {
  const client = await database.pool.connect();
  const ended = new Promise<Error>((resolve) => {
    client.once('error', resolve);
  });
  client.on('error', () => {});
  await client.query('begin');
  await client.query('lock table applications in access exclusive mode');
  expect(await ended).toMatchObject({ code: '25P03' });
  client.release(true);
  expect((await database.pool.query('select count(*)::int as count from applications')).rows).toEqual([
    { count: 0 },
  ]);
});

test('REL-2: a statement over the limit is cancelled by PostgreSQL and answered as UNAVAILABLE', async () => {
  await withClient(url, async (owner) => {
    await owner.query(
      'create function wait() returns trigger language plpgsql as $$ begin perform pg_sleep(60); return new; end $$',
    );
    await owner.query(
      'create trigger wait before insert on applications for each row execute function wait()',
    );
    const server = await startTestServer({ database });
    try {
      const admin = await server.caller();
      const answer = await admin.call(CreateApplicationDocument, {
        input: { id: uniqueId('app'), displayName: 'Slow' },
      });
      expect(answer).toMatchObject({ status: 503, errors: [{ extensions: { code: 'UNAVAILABLE' } }] });
      // The driver's own limit would leave it at work.
      const { rows } = await owner.query(
        "select query from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'",
      );
      expect(rows).toEqual([]);
    } finally {
      await server.stop();
    }
  });
});
