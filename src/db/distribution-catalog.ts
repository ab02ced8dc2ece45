import type { Client } from 'pg';

/*
 * What the catalogs of PostgreSQL and of the citus extension say of tables: where they lie, in how many shards,
 * and which foreign keys lead from one to another.
 */

/** A foreign key. The extension takes none of a table that is not distributed yet, so it is put back. */
export interface ForeignKey {
  table: string;
  name: string;
  definition: string;
}

/** Where a table lies already. */
export interface Place {
  kind: 'reference' | 'distributed' | 'local';
  by: string | null;
  group: number;
}

export async function placesOf(session: Client): Promise<Map<string, Place>> {
  const { rows } = await session.query<Place & { table: string }>(
    `select logicalrelid::text as "table", colocationid as "group",
       case when partmethod = 'h' then column_to_column_name(logicalrelid, partkey) end as by,
       case when partmethod = 'h' then 'distributed' when repmodel = 't' then 'reference' else 'local' end as kind
     from pg_dist_partition`,
  );
  return new Map(rows.map((row) => [row.table, row]));
}

export async function shardsOf(session: Client, table: string | undefined): Promise<number> {
  const { rows } = await session.query<{ count: number }>(
    'select count(*)::int as count from pg_dist_shard where logicalrelid = $1::regclass',
    [table],
  );
  return rows[0]?.count ?? 0;
}

export async function shardsByDefault(session: Client): Promise<number> {
  const { rows } = await session.query<{ shards: string }>(
    "select current_setting('citus.shard_count') as shards",
  );
  return Number(rows[0]?.shards);
}

/** Those that lead from or to a table that changes. */
export async function foreignKeysOf(session: Client, tables: readonly string[]): Promise<ForeignKey[]> {
  const { rows } = await session.query<ForeignKey>(
    `select conrelid::regclass::text as "table", conname as name, pg_get_constraintdef(oid) as definition
     from pg_constraint
     where contype = 'f' and conparentid = 0 and (conrelid = any($1::regclass[]) or confrelid = any($1::regclass[]))
     order by 1, 2`,
    [tables],
  );
  return rows;
}

/** The extension leaves rows where they were, out of sight. */
export async function copiesOf(session: Client, tables: readonly string[]): Promise<string[]> {
  const { rows } = await session.query<{ table: string }>(
    `select t as "table" from unnest($1::text[]) with ordinality as x(t, n)
     where (select sum(pg_relation_size(r)) from (
         select t::regclass as r union all select inhrelid::regclass from pg_inherits where inhparent = t::regclass) parts) > 0
       and exists (select from pg_dist_partition where logicalrelid = t::regclass and (partmethod = 'h' or repmodel = 't'))
     order by n`,
    [tables],
  );
  return rows.map(({ table }) => table);
}
