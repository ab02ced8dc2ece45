import type { EntityManager } from '@mikro-orm/postgresql';
import { serverRole } from '../audit/append-only.ts';
import { type AuditEntry, auditParts } from '../audit/audit.service.ts';
import { countOf, inTransaction, lockNotAvailable, type RawBuilder, rowOf, rowsOf, sql } from '../db/sql.ts';
import { dropRecoveryCodes, operator } from '../keys/recovery-codes.ts';
import type { Clock } from '../shared/clock.ts';
import type { Ids } from '../shared/ids.ts';
import { operatorBatchRows, restoreLockMs, totpPeriodSeconds } from '../shared/limits.ts';

/*
 * Makes a database that was restored from an older backup safe to serve from. What was used between the
 * backup and now looks unused in it. Nobody can know what that was, so all that may have been used counts as
 * used: time steps up to the present one, recovery codes, MFA tokens, factors that were begun.
 *
 * One transaction: all of it is done, or nothing.
 */

export interface Seal {
  /** Authenticators from which no code up to now is accepted any more. */
  authenticators: number;
  recoveryCodes: number;
  pendingFactors: number;
  /** MFA tokens that were open. */
  steps: number;
  /** Applications in whose record the restore stands; fewer where it stood there already and nothing came after. */
  recorded: number;
}

/** The database is not to be sealed now, or not by this user. */
export class SealRefused extends Error {
  override name = 'SealRefused';
}

export interface SealOptions {
  clock: Clock;
  ids: Ids;
  /** No recovery code was redeemed, replaced or removed since the backup. */
  keepsRecoveryCodes: boolean;
}

/**
 * May be repeated: what is sealed stays sealed.
 * @throws SealRefused while servers or others are at work, for who does not own the tables, and by a clock that is behind
 */
export async function sealRestored(em: EntityManager, options: SealOptions): Promise<Seal> {
  await assertMaySeal(em);
  return inTransaction(em, async (tx) => {
    await waitShortly(tx);
    return sealAll(tx, options);
  }).catch((error) => {
    throw (error as { code?: string }).code === lockNotAvailable ? new SealRefused(heldByAnother) : error;
  });
}

const heldByAnother =
  'Another session holds rows or a table of this database, so nothing was sealed. End whatever works on it (pg_stat_activity names it), and run this again.';

/** For a lock. On several nodes each has to know: what is set for the transaction is sent along. */
async function waitShortly(em: EntityManager): Promise<void> {
  await rowsOf(em, sql`set local citus.propagate_set_commands = 'local'`);
  await rowsOf(em, sql`set local lock_timeout = ${sql.lit(restoreLockMs)}`);
}

/** What sealing would do; writes nothing. */
export async function planSeal(em: EntityManager, { clock, keepsRecoveryCodes }: SealOptions): Promise<Seal> {
  const row = await rowOf(
    em,
    sql<Seal>`with ${toldParts(keepsRecoveryCodes)} select
      (select count(*)::int from auth_factors where type = 'TOTP' and spent < ${presentStep(clock)}) as authenticators,
      (select count(*)::int from auth_factors where type = 'RECOVERY_CODE' and spent = 0 and ${!keepsRecoveryCodes}::boolean) as "recoveryCodes",
      (select count(*)::int from pending_auth_factors) as "pendingFactors",
      (select count(*)::int from mfa_steps where ${isUnended}) as steps,
      (select count(*)::int from applications where id not in (select application_id from told)) as recorded`,
  );
  if (row === null) throw new Error('A count answers a row.');
  return row;
}

/**
 * The applications in whose record the restore stands and stays the last, as `told`. Parts that are carried out one
 * after the other: what lies on several nodes can't be asked for each row of another.
 */
const toldParts = (keepsRecoveryCodes: boolean): RawBuilder<unknown> => sql`
  restored as materialized (
    select distinct on (application_id) application_id, at, id from audit_events
    where tenant_id = '' and action = 'application.updated' and detail ? 'restored'
    order by application_id, at desc, id desc),
  followed as materialized (
    select r.application_id from restored r join audit_events e
      on e.application_id = r.application_id and (e.at, e.id) > (r.at, r.id) group by r.application_id),
  emptied as materialized (
    select t.application_id from auth_factors f join tenants t on t.id = f.tenant_id
    where f.type = 'RECOVERY_CODE' and f.spent = 0 and ${!keepsRecoveryCodes}::boolean group by t.application_id),
  told as materialized (
    select application_id from restored
    except select application_id from followed except select application_id from emptied)`;

/** Policies must not be remembered from what the database was before, and nothing may be begun meanwhile. */
async function assertMaySeal(em: EntityManager): Promise<void> {
  const row = await rowOf(
    em,
    sql<{ isOwner: boolean; servers: number }>`
      select has_table_privilege('audit_events', 'delete') as "isOwner",
        (select count(*)::int from pg_stat_activity where datname = current_database()
          and application_name = 'cufflink' and pid <> pg_backend_pid()) as servers`,
  );
  if (row?.isOwner !== true) {
    throw new SealRefused(
      `DATABASE_URL must be that of the tables' owner, who may delete from the record; ${serverRole} may not.`,
    );
  }
  if (row.servers > 0) {
    throw new SealRefused(
      `${row.servers} connections of servers are open to this database. Stop all servers (and poolers) first, and start them when it is sealed.`,
    );
  }
}

/** What was used last was used before what a clock says that is behind it: codes of in between would stay open. */
async function assertClockIsAhead(em: EntityManager, now: Date): Promise<void> {
  const row = await rowOf(
    em,
    sql<{ newest: string | null }>`select max(at) as newest from audit_events where at > ${now}::timestamptz`,
  );
  if (!row?.newest) return;
  throw new SealRefused(
    `The newest event of the record is of ${new Date(row.newest).toISOString()}, and this machine's clock says ${now.toISOString()}. Set the clock right first.`,
  );
}

/** What others began or held meanwhile is not sealed. */
async function assertNothingIsLeft(em: EntityManager, options: SealOptions): Promise<void> {
  const { authenticators, recoveryCodes, pendingFactors, steps } = await planSeal(em, options);
  const left = authenticators + recoveryCodes + pendingFactors + steps;
  if (left > 0) {
    throw new SealRefused(
      `${left} rows were in use by another session, so nothing was sealed. End whatever works on this database, and run this again.`,
    );
  }
}

async function sealAll(em: EntityManager, options: SealOptions): Promise<Seal> {
  const { clock, ids, keepsRecoveryCodes } = options;
  const now = clock.now();
  await assertClockIsAhead(em, now);
  const step = presentStep(clock);
  // The present step too: a code of it may have been accepted just before the database was lost.
  const authenticators = await countOf(
    em,
    sql`update auth_factors set spent = ${step} where type = 'TOTP' and spent < ${step}`,
  );
  const steps = await countOf(em, sql`update mfa_steps set ended_at = ${now} where ${isUnended}`);
  const pendingFactors = await countOf(em, sql`delete from pending_auth_factors`);
  const recoveryCodes = keepsRecoveryCodes
    ? 0
    : await dropRecoveryCodes(em, ids, sql`true`, 'restored from a backup');
  await assertNothingIsLeft(em, { ...options, clock: { now: () => now } });
  await moveFeed(em, now);
  const seal = { authenticators, recoveryCodes, pendingFactors, steps };
  return { ...seal, recorded: await recordRestore(em, ids, seal, keepsRecoveryCodes) };
}

const presentStep = (clock: Clock): number => Math.floor(clock.now().getTime() / 1000 / totpPeriodSeconds);

const isUnended = sql`finished_at is null and ended_at is null`;

/**
 * The feed of policies goes on from a number that it never had: a server that knows a newer position than
 * that of the backup must not take what comes for what it has heard. There is less than a change in a
 * millisecond, so the clock is ahead of any count.
 */
const moveFeed = (em: EntityManager, now: Date): Promise<number> =>
  countOf(
    em,
    sql`update policy_feed set position = greatest(position + 1, ${now.getTime()}::bigint) where id = 1`,
  );

/**
 * Tells in each application's record that what follows goes on from a backup: a head of the chain that was
 * kept elsewhere may be newer than it. With the moment of the newest event that was restored.
 */
async function recordRestore(
  em: EntityManager,
  ids: Ids,
  seal: Omit<Seal, 'recorded'>,
  keepsRecoveryCodes: boolean,
): Promise<number> {
  let recorded = 0;
  let last = '';
  for (;;) {
    const rows = await rowsOf(
      em,
      sql<{ id: string }>`
        select id from applications where id > ${last} order by id limit ${operatorBatchRows}`,
    );
    const events: AuditEntry[] = [];
    for (const { id } of rows) {
      const newest = await rowOf(
        em,
        sql<{ at: string; isTold: boolean }>`
          select at, detail ? 'restored' as "isTold" from audit_events
          where application_id = ${id} order by at desc, id desc limit 1`,
      );
      if (newest?.isTold) continue;
      const restored = { newestEvent: newest && new Date(newest.at), ...seal, keepsRecoveryCodes };
      events.push({ action: 'application.updated', applicationId: id, detail: { restored } });
    }
    if (events.length > 0) await countOf(em, sql`with ${auditParts({ ids }, operator, events)} select 1`);
    recorded += events.length;
    last = rows.at(-1)?.id ?? last;
    if (rows.length < operatorBatchRows) return recorded;
  }
}
