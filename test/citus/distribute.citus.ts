import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { databaseLayout } from '../../src/database-layout.ts';
import { databaseSchema } from '../../src/database-schema.ts';
import { openDatabase } from '../../src/db/connection.ts';
import { distribute } from '../../src/db/distribute.ts';
import { migrate } from '../../src/db/migrate.ts';
import { seed } from '../../src/seed/seed.ts';
import { systemClock } from '../../src/shared/clock.ts';
import { KeyRing } from '../../src/shared/key-ring.ts';
import { dropDatabases, newDatabase, withClient } from '../process/databases.ts';
import { isDistributed } from '../setup/nodes.mjs';

/* npm run db:distribute on databases of its own, empty and filled. */

const tables = [...databaseLayout.reference, ...Object.keys(databaseLayout.distributed)];
let url: string;

beforeEach(async () => {
  if (!isDistributed) throw new Error('Set TEST_DISTRIBUTE=on, and TEST_DATABASE_URL to a coordinator.');
  url = await newDatabase();
  await migrate(url, databaseSchema);
}, 120_000);
afterEach(dropDatabases, 120_000);
afterAll(dropDatabases);

const run = (options: Parameters<typeof distribute>[3] = {}) =>
  distribute(url, databaseSchema, databaseLayout, { shards: 2, ...options });

/** All rows of all tables, as digests by table. */
const contents = (client: Client) =>
  Promise.all(
    tables.map(async (table) => {
      const { rows } = await client.query(`select md5(t::text) as digest from ${table} t`);
      return [table, rows.map(({ digest }) => digest as string).toSorted()];
    }),
  );

const foreignKeys = async (client: Client) => {
  const { rows } = await client.query(
    `select conrelid::regclass::text as "table", conname as name, pg_get_constraintdef(oid) as definition from pg_constraint
     where contype = 'f' and conparentid = 0 and connamespace = 'public'::regnamespace
       and relation_is_a_known_shard(conrelid) is not true order by 1, 2`,
  );
  return rows;
};

/** How many tables lie in shards or on every node. */
const placed = async (client: Client): Promise<number> => {
  const { rows } = await client.query(
    `select count(*)::int as count from pg_dist_partition p join pg_class c on c.oid = p.logicalrelid
     where not c.relispartition and (partmethod = 'h' or repmodel = 't')`,
  );
  return rows[0].count;
};

async function fill(): Promise<void> {
  const database = await openDatabase({ url, schema: databaseSchema, unlimited: true });
  try {
    const keyRing = new KeyRing([{ id: 'k', key: Buffer.alloc(32, 1) }]);
    const deps = {
      database,
      clock: systemClock(0),
      keyRing,
      signal: new AbortController().signal,
      onProgress: () => {},
    };
    await seed(deps, { applications: 3, tenants: 20, users: 300, prefix: 's', seed: 1 });
  } finally {
    await database.close();
  }
}

describe('distributing', () => {
  test('a filled database keeps every row and every foreign key, and leaves no copy behind', async () => {
    await fill();
    await withClient(url, async (client) => {
      const [rows, keys] = [await contents(client), await foreignKeys(client)];
      const plan = await run({ isPlan: true });
      expect([plan.done, plan.reference.length + plan.distributed.length]).toEqual([[], tables.length]);
      expect(await placed(client)).toBe(0);

      await run();
      expect(await placed(client)).toBe(tables.length);
      expect(await contents(client)).toEqual(rows);
      expect(await foreignKeys(client)).toEqual(keys);
      const { rows: copies } = await client.query(
        `select c.relname from pg_class c where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
           and c.oid in (select logicalrelid from pg_dist_partition) and pg_relation_size(c.oid) > 0`,
      );
      expect(copies).toEqual([]);
    });
  }, 120_000);

  test('twice does nothing the second time, and a plan says so', async () => {
    await run();
    for (const isPlan of [true, false]) {
      expect(await run({ isPlan, shards: 7 })).toMatchObject({
        reference: [],
        distributed: [],
        foreignKeys: [],
        copies: [],
        shards: 2,
      });
    }
  }, 120_000);

  test('that is broken off leaves the database as it was, and goes through the next time', async () => {
    await fill();
    await withClient(url, async (client) => {
      const [rows, keys] = [await contents(client), await foreignKeys(client)];
      const breaking = (line: string) => {
        if (line.startsWith('mfa_steps')) throw new Error('broken off');
      };
      await expect(run({ onStep: breaking })).rejects.toThrow('broken off');
      expect([await placed(client), await foreignKeys(client)]).toEqual([0, keys]);
      expect(await contents(client)).toEqual(rows);
      await run();
      expect(await placed(client)).toBe(tables.length);
      expect(await contents(client)).toEqual(rows);
    });
  }, 120_000);

  test('takes what a later migration adds, or somebody undid, without touching the rest', async () => {
    await run();
    await withClient(url, (client) => client.query("select undistribute_table('audit_chains')"));
    const plan = await run();
    expect([plan.reference, plan.distributed]).toEqual([[], [{ table: 'audit_chains', by: 'tenant_id' }]]);
    expect(plan.done).toHaveLength(tables.length - 1);
  }, 120_000);

  test('refuses a table that lies elsewhere, and one that nobody named', async () => {
    await withClient(url, (client) => client.query("select create_reference_table('audit_chains')"));
    await expect(run()).rejects.toThrow(
      "audit_chains is a reference table, and is meant to be distributed by tenant_id beside the others. Undo that first: select undistribute_table('audit_chains').",
    );
    await withClient(url, (client) => client.query('create table of_others (id int)'));
    await expect(run()).rejects.toThrow('tables of others in the same schema: of_others');
  }, 120_000);

  test('makes later months in shards too, and they are pruned whole', async () => {
    await run();
    await withClient(url, async (client) => {
      await client.query('drop table audit_events_2028_01');
      await migrate(url, databaseSchema);
      const { rows } = await client.query(
        "select count(*)::int as count from pg_dist_shard where logicalrelid = 'audit_events_2028_01'::regclass",
      );
      expect(rows[0].count).toBe(2);
    });
  }, 120_000);
});
