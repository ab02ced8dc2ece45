import { type ClientBase, escapeIdentifier } from 'pg';
import { lockNotAvailable } from '../db/sql.ts';
import { monthLockMs } from '../shared/limits.ts';

/*
 * What every migration run sees to, besides the migrations themselves: the role that servers work as,
 * which may add to the record and change nothing of it, and the record's months ahead.
 */

/** The group role of servers: a login that is a member of it serves, and can't rewrite the record. */
export const serverRole = 'cufflink_server';

const appendOnly = ['audit_events', 'audit_seals'];
/** Where servers may only read. */
const readOnly = ['audit_prunes', 'audit_pruned_chains', 'mikro_orm_migrations'];

/** Months for which partitions are made; past them events go to the default partition, and nothing is lost. */
const monthsAhead = 24;

type Warn = (message: string) => void;

/**
 * May be repeated. Needs the owner of the tables. An owner who may not make roles gets the rest, is told who
 * makes the role, and the server says at its start that its role could rewrite the record.
 */
export async function prepareRecord(client: ClientBase, now: Date, warn: Warn = console.warn): Promise<void> {
  await makePartitions(client, now, warn);
  if (await makeRole(client)) await grant(client);
  else {
    const owner = await currentUser(client);
    warn(
      `The role ${serverRole} of servers is not there, and ${owner} may not make it. Run as a superuser: ${makeRoleSql(owner)}; then run "npm run migrate" again, which grants it what servers need.`,
    );
  }
}

/** For who may make roles: whoever migrates may serve as it as well. */
const makeRoleSql = (owner: string): string =>
  `create role ${serverRole} nologin role ${escapeIdentifier(owner)}`;

async function currentUser(client: Pick<ClientBase, 'query'>): Promise<string> {
  const { rows } = await client.query<{ name: string }>('select current_user::text as name');
  return rows[0]?.name ?? '';
}

async function makeRole(client: ClientBase): Promise<boolean> {
  try {
    const { rowCount } = await client.query('select from pg_roles where rolname = $1', [serverRole]);
    if (rowCount === 0) await client.query(makeRoleSql(await currentUser(client)));
    return true;
  } catch (error) {
    const { code } = error as { code?: string };
    // Roles belong to the whole server: another database's migration may have made it just now.
    if (code === '42710' || code === '23505') return true;
    if (code === '42501') return false;
    throw error;
  }
}

async function grant(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select c.oid::regclass::text as name from pg_class c
     where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition`,
  );
  const tables = rows.map(({ name }) => name);
  const changeable = tables.filter((name) => !appendOnly.includes(name) && !readOnly.includes(name));
  await client.query(`grant select on ${tables.join(', ')} to ${serverRole}`);
  await client.query(`grant insert on ${appendOnly.join(', ')} to ${serverRole}`);
  await client.query(`grant insert, update, delete on ${changeable.join(', ')} to ${serverRole}`);
}

/**
 * One partition a month. Where events of a month came before its partition, they stay in the default one.
 * A partition is made apart and attached: no writer waits for that, and readers wait only shortly.
 */
async function makePartitions(client: ClientBase, now: Date, warn: Warn): Promise<void> {
  for (let n = 0; n < monthsAhead; n += 1) {
    const from = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + n, 1));
    const to = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + n + 1, 1));
    const name = partitionName(from);
    const { rows } = await client.query<{ made: boolean; used: boolean }>(
      `select to_regclass($1) is not null as made,
         exists (select 1 from audit_events_default where at >= $2 and at < $3) as used`,
      [name, from, to],
    );
    if (rows[0]?.made || rows[0]?.used) continue;
    try {
      await client.query('begin');
      await client.query(`set local lock_timeout = ${monthLockMs}`);
      await client.query(`create table ${name} (like audit_events including all)`);
      await client.query(
        `alter table audit_events attach partition ${name} for values from ('${from.toISOString()}') to ('${to.toISOString()}')`,
      );
      await client.query('commit');
    } catch (error) {
      await client.query('rollback');
      const { code } = error as { code?: string };
      if (code === usedMeanwhile) continue;
      if (code !== lockNotAvailable) throw error;
      warn(
        `The record is in use, perhaps by a backup: its months from ${from.toISOString().slice(0, 7)} on are made by the next migration run. Until then nothing is lost.`,
      );
      return;
    }
  }
}

/** An event of the month came into the default partition just now (check_violation). */
const usedMeanwhile = '23514';

/** @param month any moment of it */
export const partitionName = (month: Date): string =>
  `audit_events_${month.toISOString().slice(0, 7).replace('-', '_')}`;

/**
 * Whether whoever is connected could rewrite the record.
 * @returns what to do about it; null where they could not
 */
export async function rewritingAdvice(client: Pick<ClientBase, 'query'>): Promise<string | null> {
  const { rows } = await client.query<{ may: boolean; hasRole: boolean }>(
    `select has_table_privilege('audit_events', 'update, delete, truncate') or has_table_privilege('audit_seals', 'update, delete, truncate') as may,
       to_regrole($1) is not null as "hasRole"`,
    [serverRole],
  );
  const { may = true, hasRole = true } = rows[0] ?? {};
  if (!may) return null;
  const advice = `connect as a member of ${serverRole}, which may only add to it`;
  return hasRole
    ? advice
    : `${advice}. That role is not there: run "${makeRoleSql(await currentUser(client))}" as a superuser, then "npm run migrate"`;
}
