import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { databaseLayout } from '../../src/database-layout.ts';
import { databaseSchema } from '../../src/database-schema.ts';
import { distribute } from '../../src/db/distribute.ts';
import { migrate } from '../../src/db/migrate.ts';
import { dropDatabases, newPlainDatabase } from '../process/databases.ts';
import { repository, runProcess } from '../process/servers.ts';
import { databaseUrl } from '../setup/harness.ts';

/*
 * What a database of several nodes asks of the schema, held without one: each node checks keys by its own
 * shards alone.
 */

let client: Client;
beforeAll(async () => {
  client = new Client({ connectionString: databaseUrl() });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await dropDatabases();
});

const { reference, distributed, local } = databaseLayout;

/** Rows of the catalog, of tables that are no partitions and no extension's. */
async function catalog<Row>(select: string): Promise<Row[]> {
  const { rows } = await client.query(
    `with tables as (
       select c.oid, c.relname::text as name from pg_class c
       where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
         and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
     ) ${select}`,
  );
  return rows as Row[];
}

describe('every table', () => {
  test('is named in the layout, once', async () => {
    const rows = await catalog<{ name: string }>('select name from tables order by name');
    const named = [...reference, ...Object.keys(distributed), ...local];
    expect(named.toSorted()).toEqual(rows.map(({ name }) => name));
  });

  test('is without triggers', async () => {
    expect(
      await catalog(
        'select tgname from pg_trigger g join tables t on t.oid = g.tgrelid where not tgisinternal',
      ),
    ).toEqual([]);
  });
});

describe('a table that is distributed', () => {
  test('has the column that says whose a row is in its primary key and in each unique key', async () => {
    const keys = await catalog<{ table: string; key: string; columns: string[] }>(
      `select t.name as "table", i.indexrelid::regclass::text as key,
         array(select a.attname::text from pg_attribute a where a.attrelid = t.oid and a.attnum = any (i.indkey)) as columns
       from pg_index i join tables t on t.oid = i.indrelid where i.indisunique`,
    );
    const ofDistributed = keys.filter(({ table }) => table in distributed);
    expect(new Set(ofDistributed.map(({ table }) => table))).toEqual(new Set(Object.keys(distributed)));
    expect(ofDistributed.filter(({ table, columns }) => !columns.includes(distributed[table] ?? ''))).toEqual(
      [],
    );
  });

  test('refers to others of its shard only, or to what every node has; and nothing else refers to it', async () => {
    const keys = await catalog<{ from: string; to: string; pairs: [string, string][] }>(
      `select t.name as "from", o.name as "to",
         (select json_agg(json_build_array(a.attname, b.attname)) from unnest(k.conkey, k.confkey) as x(a, b)
            join pg_attribute a on a.attrelid = k.conrelid and a.attnum = x.a
            join pg_attribute b on b.attrelid = k.confrelid and b.attnum = x.b) as pairs
       from pg_constraint k join tables t on t.oid = k.conrelid join tables o on o.oid = k.confrelid
       where k.contype = 'f'`,
    );
    expect(keys.length).toBeGreaterThan(5);
    const isCarried = ({ from, to, pairs }: (typeof keys)[number]) =>
      to in distributed
        ? pairs.some(([here, there]) => here === distributed[from] && there === distributed[to])
        : reference.includes(to);
    expect(keys.filter((key) => !isCarried(key))).toEqual([]);
  });

  test('has all that is its tenants in it: only what is its caller’s lies by another column', () => {
    const others = Object.entries(distributed).filter(([, by]) => by !== 'tenant_id');
    expect(others).toEqual([
      ['tenants', 'id'],
      ['idempotency_keys', 'id'],
    ]);
  });

  test('numbers rows by bigint, of which each node can have a part', async () => {
    const identities = await catalog<{ type: string }>(
      `select format_type(a.atttypid, a.atttypmod) as type from pg_attribute a join tables t on t.oid = a.attrelid
       where a.attidentity <> '' and not t.name = any ('{${local.join()}}')`,
    );
    expect(identities).toEqual([{ type: 'bigint' }]);
  });
});

describe('npm run db:distribute', () => {
  const run = (args: string[], url?: string) =>
    runProcess({
      folder: repository,
      env: url === undefined ? {} : { DATABASE_URL: url },
      command: [process.execPath, 'dist/src/commands/db-distribute.js', ...args],
    });

  test('says what a database lacks: the schema first, then the extension', async () => {
    const url = await newPlainDatabase();
    const unmigrated = await run([], url);
    expect([unmigrated.code, unmigrated.stdout]).toEqual([1, '']);
    expect(unmigrated.stderr).toMatch(/^The database lacks Migration.*Run "npm run migrate"/);
    await migrate(url, databaseSchema);
    const plain = await run(['--plan'], url);
    expect([plain.code, plain.stdout]).toEqual([1, '']);
    expect(plain.stderr).toMatch(/^The database has no citus extension\. .*citus_add_node\.\n$/);
    await expect(distribute(url, databaseSchema, databaseLayout)).rejects.toThrow('no citus extension');
  });

  test.each([
    [['--shards', '0'], '--shards must be a number from 1 to 9999.'],
    [['--shards', 'many'], '--shards must be a number from 1 to 9999.'],
    [['--force'], "Unknown option '--force'"],
    [[], 'DATABASE_URL is required: the embedded database has one node.'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await run(args);
    expect(code).toBe(1);
    expect(stderr).toContain(message);
  });
});
