import { type Client, escapeIdentifier, escapeLiteral } from 'pg';
import type { Schema } from './connection.ts';
import { openDatabase } from './connection.ts';
import {
  copiesOf,
  type ForeignKey,
  foreignKeysOf,
  type Place,
  placesOf,
  shardsByDefault,
  shardsOf,
} from './distribution-catalog.ts';
import { assertSchemaIsKnown, withMigrationLock } from './migrate.ts';

/*
 * Turns a database into one of several nodes, by the citus extension. All tables change in one
 * transaction: whatever ends it, the database is as it was, and the same call begins anew. What was
 * distributed before, all or some of it, is left as it is; so a table that a later migration adds is
 * distributed by the same call. Only then are the copies removed that the extension leaves where the
 * rows were.
 */

/** Where each table lies. */
export interface Layout {
  /** Small ones, of which every node has a copy. */
  reference: readonly string[];
  /** Tables with the column by whose value a row is put into a shard. The others lie beside the first. */
  distributed: Readonly<Record<string, string>>;
  /** Those of the coordinator alone. */
  local: readonly string[];
}

/** What there is to do, and what there is. */
export interface DistributionPlan {
  /** How many nodes have shards. */
  nodes: number;
  /** How many shards the first table gets, or has. */
  shards: number;
  reference: string[];
  distributed: { table: string; by: string }[];
  foreignKeys: ForeignKey[];
  /** What lies where the layout puts it. */
  done: string[];
  /** Tables of which a copy from before is left on the coordinator. */
  copies: string[];
}

/** The database can't be distributed; the message says what to do. */
export class CannotDistribute extends Error {
  override name = 'CannotDistribute';
}

/** The oldest version that was tried is 13; 12 is the first with all that is used. */
const extensionMajorMin = 12;

/**
 * May be repeated. Needs the owner of the tables and of the database. Servers that run meanwhile wait, or
 * answer UNAVAILABLE.
 * @param shards of a database that is not distributed yet; by default what the extension is set to
 * @param isPlan only tells what would be done
 * @param onStep told of each table before its turn
 * @throws CannotDistribute, SchemaMismatch
 */
export async function distribute(
  url: string,
  schema: Schema,
  layout: Layout,
  {
    shards,
    isPlan = false,
    onStep,
  }: { shards?: number; isPlan?: boolean; onStep?: (line: string) => void } = {},
): Promise<DistributionPlan> {
  await assertMigrated(url, schema);
  return withMigrationLock(url, async (session) => {
    const plan = await planOf(session, layout, shards);
    if (isPlan) return plan;
    await session.query(settings(session.database ?? ''));
    if (plan.reference.length + plan.distributed.length > 0) await change(session, layout, plan, onStep);
    for (const table of plan.copies.length > 0 ? plan.copies : await copiesOf(session, tablesOf(layout))) {
      onStep?.(`${table}: removing the copy from before`);
      await session.query('select truncate_local_data_after_distributing_table($1)', [table]);
    }
    return plan;
  });
}

/** All but those of the coordinator alone. */
const tablesOf = ({ reference, distributed }: Layout): string[] => [
  ...reference,
  ...Object.keys(distributed),
];

async function assertMigrated(url: string, schema: Schema): Promise<void> {
  const database = await openDatabase({ url, schema, unlimited: true, poolConnectionsMax: 1 });
  try {
    await assertSchemaIsKnown(database);
  } finally {
    await database.close();
  }
}

async function planOf(session: Client, layout: Layout, asked: number | undefined): Promise<DistributionPlan> {
  const nodes = await usableNodes(session);
  await assertNamed(session, layout);
  const places = await placesOf(session);
  const [anchor] = Object.keys(layout.distributed);
  const group = places.get(anchor ?? '')?.group;

  const reference = layout.reference.filter((table) => !isReference(table, places.get(table)));
  const distributed = Object.entries(layout.distributed)
    .map(([table, by]) => ({ table, by }))
    .filter(({ table, by }) => !isDistributed(table, by, group, places.get(table)));
  const changing = [...reference, ...distributed.map(({ table }) => table)];
  return {
    nodes,
    shards:
      (group === undefined ? asked : await shardsOf(session, anchor)) ?? (await shardsByDefault(session)),
    reference,
    distributed,
    foreignKeys: await foreignKeysOf(session, changing),
    done: tablesOf(layout).filter((table) => !changing.includes(table)),
    copies: changing.length > 0 ? [] : await copiesOf(session, tablesOf(layout)),
  };
}

/** @returns how many nodes take shards */
async function usableNodes(session: Client): Promise<number> {
  const { rows: extensions } = await session.query<{ version: string }>(
    "select extversion as version from pg_extension where extname = 'citus'",
  );
  const version = extensions[0]?.version;
  if (version === undefined) {
    throw new CannotDistribute(
      'The database has no citus extension. Load it (shared_preload_libraries), run "create extension citus" in this database on every node, and add the nodes with citus_add_node.',
    );
  }
  if (Number.parseInt(version, 10) < extensionMajorMin) {
    throw new CannotDistribute(
      `The citus extension is of version ${version}; ${extensionMajorMin} or newer is needed.`,
    );
  }
  const { rows } = await session.query<{ coordinator: number; taking: number; away: string | null }>(
    `select count(*) filter (where groupid = 0)::int as coordinator,
       count(*) filter (where shouldhaveshards and isactive)::int as taking,
       string_agg(nodename || ':' || nodeport, ', ') filter (where not isactive) as away
     from pg_dist_node where noderole = 'primary'`,
  );
  const { coordinator = 0, taking = 0, away = null } = rows[0] ?? {};
  if (coordinator === 0) {
    throw new CannotDistribute(
      'The coordinator is not among the nodes, so it would have no copy of the reference tables. Connect to it and run "select citus_set_coordinator_host(\'its-host\')".',
    );
  }
  if (away !== null)
    throw new CannotDistribute(`These nodes are not active: ${away}. Activate or remove them.`);
  if (taking === 0) {
    throw new CannotDistribute(
      'No node takes shards. Add workers with citus_add_node, or let the coordinator take them (citus_set_node_property, shouldhaveshards).',
    );
  }
  return taking;
}

/** A table that nobody thought about must not stay where it happens to be. */
async function assertNamed(session: Client, layout: Layout): Promise<void> {
  const { rows } = await session.query<{ name: string }>(
    `select c.relname as name from pg_class c
     where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
       and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
       and not exists (select from pg_dist_shard s where c.relname = s.logicalrelid::regclass::text || '_' || s.shardid)`,
  );
  const named = [...tablesOf(layout), ...layout.local];
  const unknown = rows.map(({ name }) => name).filter((name) => !named.includes(name));
  if (unknown.length > 0) {
    throw new CannotDistribute(
      `The database has tables of others in the same schema: ${unknown.join(', ')}. Give Cufflink a database of its own.`,
    );
  }
}

function isReference(table: string, place: Place | undefined): boolean {
  if (place?.kind === 'distributed') {
    throw new CannotDistribute(
      `${table} is distributed, and is meant to have a copy on every node. Undo that first: select undistribute_table('${table}').`,
    );
  }
  return place?.kind === 'reference';
}

function isDistributed(
  table: string,
  by: string,
  group: number | undefined,
  place: Place | undefined,
): boolean {
  if (place === undefined || place.kind === 'local') return false;
  if (place.kind === 'reference' || place.by !== by || place.group !== group) {
    throw new CannotDistribute(
      `${table} is ${place.kind === 'reference' ? 'a reference table' : `distributed by ${place.by}`}, and is meant to be distributed by ${by} beside the others. Undo that first: select undistribute_table('${table}').`,
    );
  }
  return true;
}

/** In one transaction; nobody else reads or writes meanwhile. */
async function change(
  session: Client,
  layout: Layout,
  plan: DistributionPlan,
  onStep: (line: string) => void = () => {},
): Promise<void> {
  const [anchor] = Object.keys(layout.distributed);
  await session.query('begin');
  try {
    await session.query("set local citus.multi_shard_modify_mode = 'sequential'");
    await session.query("set local client_min_messages = 'warning'");
    const all = tablesOf(layout).map(escapeIdentifier);
    await session.query(`lock table ${all.join(', ')} in access exclusive mode`);
    for (const { table, name } of plan.foreignKeys) {
      await session.query(`alter table ${table} drop constraint ${escapeIdentifier(name)}`);
    }
    for (const table of plan.reference) {
      onStep(`${table}: copying it to every node`);
      await session.query('select create_reference_table($1)', [table]);
    }
    for (const { table, by } of plan.distributed) {
      onStep(`${table}: distributing it by ${by}`);
      if (table === anchor) {
        await session.query(
          "select create_distributed_table($1, $2, colocate_with := 'none', shard_count := $3)",
          [table, by, plan.shards],
        );
      } else {
        await session.query('select create_distributed_table($1, $2, colocate_with := $3)', [
          table,
          by,
          anchor,
        ]);
      }
    }
    for (const { table, name, definition } of plan.foreignKeys) {
      onStep(`${table}: ${definition}`);
      await session.query(`alter table ${table} add constraint ${escapeIdentifier(name)} ${definition}`);
    }
    await session.query('commit');
  } catch (error) {
    await session.query('rollback').catch(() => {});
    throw error;
  }
}

/**
 * What each session of the database has: a transaction may change what lies on every node after what lies
 * in many shards, as where an application is deleted with its tenants.
 */
const settings = (database: string): string =>
  `do ${escapeLiteral(`begin
  if not exists (select from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase
    where d.datname = current_database() and s.setrole = 0 and 'citus.multi_shard_modify_mode=sequential' = any (s.setconfig)) then
    alter database ${escapeIdentifier(database)} set citus.multi_shard_modify_mode = 'sequential';
  end if;
end`)}`;
