import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { databaseSchema } from '../../src/database-schema.ts';
import { openDatabase } from '../../src/db/connection.ts';
import { migrate } from '../../src/db/migrate.ts';
import { dropDatabases, newPlainDatabase, withClient } from './databases.ts';
import { cleanUp, newFolder, repository, runProcess } from './servers.ts';

afterEach(async () => {
  await cleanUp();
  await dropDatabases();
});

/** Everything that the tables are made of, as PostgreSQL writes it. */
const catalog = (url: string) =>
  withClient(url, async (client) => {
    const { rows } = await client.query<{ line: string }>(`
      select concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default, collation_name,
        datetime_precision) as line from information_schema.columns where table_schema = 'public'
      union all select concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
        from pg_constraint where connamespace = 'public'::regnamespace
      union all select indexdef from pg_indexes where schemaname = 'public'
      order by line`);
    return rows.map(({ line }) => line);
  });

test('the migrations lead to exactly the tables of the entities', async () => {
  const url = await newPlainDatabase();
  await migrate(url, databaseSchema);
  const before = await catalog(url);
  expect(before.length).toBeGreaterThan(40);
  const database = await openDatabase({ url, schema: databaseSchema, unlimited: true });
  try {
    // PostgreSQL rewrites check constraints, so MikroORM always sees others and wants to replace them.
    // What it would change must change nothing. An identity it takes for a default, which it can't drop.
    const update = await database.orm.schema.getUpdateSchemaSQL({ wrap: false });
    await database.pool.query(
      update.replace('alter table "audit_unsealed" alter column "position" drop default;', ''),
    );
  } finally {
    await database.close();
  }
  expect(await catalog(url)).toEqual(before);
});

test('the snapshot of the migrations agrees with the entities', async () => {
  const checked = await runProcess({
    folder: await newFolder(),
    command: [process.execPath, join(repository, 'dist/src/commands/migration.js'), '--check'],
  });
  expect(checked).toEqual({ code: 0, stdout: '', stderr: '' });
});
