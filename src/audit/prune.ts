import { setTimeout as sleep } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import { countOf, inTransaction, lockNotAvailable, type RawBuilder, rowOf, rowsOf, sql } from '../db/sql.ts';
import { firstIdAt } from '../shared/ids.ts';
import { monthAttemptsMax, monthLockMs, monthRetryMs, pruneBatch } from '../shared/limits.ts';
import { partitionName } from './append-only.ts';

/*
 * Deletes the record before a month, and the seals over it, while servers write. Each step is a short
 * transaction of its own, and after each of them the record verifies: first it is kept that the record
 * is pruned, then the events go, and last the seals of which every event is gone. Whatever ends it in
 * the middle, the same call goes on from there.
 */

export interface Prune {
  /** Names of the months' partitions that go whole. */
  partitions: string[];
  /** Events that go one by one, because they came before their month's partition was made. */
  otherEvents: number;
  seals: number;
}

/** A month's partition did not get its turn to be dropped. */
export class MonthInUse extends Error {
  override name = 'MonthInUse';
}

/**
 * Needs the owner of the tables.
 * @param before the first moment of a month (UTC); what is from then on stays
 * @param isPlan only tells what would go
 * @throws MonthInUse when it is cut short; what is left goes by the next call
 */
export async function pruneRecord(
  em: EntityManager,
  before: Date,
  now: Date,
  isPlan: boolean,
): Promise<Prune> {
  if (isPlan) return planOf(em, before);
  const pruned: Prune = { partitions: [], otherEvents: 0, seals: 0 };
  for await (const step of pruneSteps(em, before, now)) {
    pruned.partitions.push(...step.partitions);
    pruned.otherEvents += step.otherEvents;
    pruned.seals += step.seals;
  }
  return pruned;
}

async function planOf(em: EntityManager, before: Date): Promise<Prune> {
  const partitions = await partitionsBefore(em, before);
  const counts = await rowOf(
    em,
    sql<{ otherEvents: number; seals: number }>`
      with kept as (
        select tenant_id, application_id, min(seal) as seal from audit_seals s where not ${isOld(before)} group by 1, 2
      )
      select (select count(*)::int from audit_events_default where at < ${before}) as "otherEvents",
        (select count(*)::int from audit_seals s left join kept k using (tenant_id, application_id)
          where k.seal is null or s.seal < k.seal) as seals`,
  );
  if (counts === null) throw new Error('A count answers a row.');
  return { partitions, ...counts };
}

/** @returns what each step deleted, after it was committed; may be left at any of them */
export async function* pruneSteps(
  em: EntityManager,
  before: Date,
  now: Date,
  batch: typeof pruneBatch = pruneBatch,
): AsyncGenerator<Prune> {
  const nothing: Prune = { partitions: [], otherEvents: 0, seals: 0 };
  // From here on, what is older is not missed.
  await countOf(
    em,
    sql`insert into audit_prunes (before, pruned_at) values (${before}, ${now})
      on conflict (before) do update set pruned_at = excluded.pruned_at`,
  );
  for (const name of await partitionsBefore(em, before)) {
    await dropMonth(em, name);
    yield { ...nothing, partitions: [name] };
  }
  const deleteRows = (table: string, key: RawBuilder<unknown>, isOver: RawBuilder<unknown>) =>
    countOf(
      em,
      sql`delete from ${sql.table(table)} where (${key}) in (
        select ${key} from ${sql.table(table)} as t where ${isOver} limit ${batch.rows})`,
    );
  for (;;) {
    const otherEvents = await deleteRows('audit_events_default', sql`tenant_id, at, id`, sql`at < ${before}`);
    if (otherEvents === 0) break;
    yield { ...nothing, otherEvents };
  }
  const isGone = sql`event_id < ${firstIdAt(before)}::uuid and not exists (
    select from audit_events e where e.tenant_id = t.tenant_id and e.at = t.at and e.id = t.event_id)`;
  while ((await deleteRows('audit_unsealed', sql`tenant_id, position`, isGone)) > 0) yield nothing;
  let after = { tenantId: '', applicationId: '' };
  for (;;) {
    const page = await deleteSeals(em, before, after, batch);
    if (page === null) return;
    if (page.seals === 0) after = page;
    else yield { ...nothing, seals: page.seals };
  }
}

/** A seal `s` over nothing but what is older. One that names none is not. */
const isOld = (before: Date) => sql`coalesce(
  cardinality(s.event_ids) > 0 and not ${firstIdAt(before)}::uuid <= any (s.event_ids), false)`;

/**
 * Deletes the oldest seals of some chains, as far as they are old, and keeps in the same statement from
 * where each chain goes on. Seals are numbered without a gap, so the next to go are known by their numbers.
 * @param after the chain before the first one
 * @returns the last chain that was looked at, and how many seals went; null where there is none
 */
const deleteSeals = (
  em: EntityManager,
  before: Date,
  after: { tenantId: string; applicationId: string },
  batch: typeof pruneBatch,
) =>
  rowOf(
    em,
    sql<{ tenantId: string; applicationId: string; seals: number }>`
      with page as materialized (
        select c.tenant_id, c.application_id, coalesce(p.seal, 0) as pruned
        from audit_chains c
          left join audit_pruned_chains p on p.tenant_id = c.tenant_id and p.application_id = c.application_id
        where (c.tenant_id, c.application_id) > (${after.tenantId}, ${after.applicationId})
        order by c.tenant_id, c.application_id limit ${batch.chains}
      ),
      looked as materialized (
        select s.tenant_id, s.application_id, s.seal,
          bool_and(${isOld(before)}) over (partition by s.tenant_id, s.application_id order by s.seal) as goes
        from page p join audit_seals s on s.tenant_id = p.tenant_id and s.application_id = p.application_id
          and s.seal > p.pruned and s.seal <= p.pruned + ${batch.seals}::int
      ),
      gone as (
        delete from audit_seals where (tenant_id, application_id, seal) in (
          select tenant_id, application_id, seal from looked where goes)
        returning tenant_id, application_id, seal, hash
      ),
      kept as (
        insert into audit_pruned_chains as c (tenant_id, application_id, seal, hash)
        select distinct on (tenant_id, application_id) tenant_id, application_id, seal, hash from gone
        order by tenant_id, application_id, seal desc
        on conflict (tenant_id, application_id) do update set seal = excluded.seal, hash = excluded.hash
        where c.seal < excluded.seal
      )
      select tenant_id as "tenantId", application_id as "applicationId", (select count(*)::int from gone) as seals
      from page order by tenant_id desc, application_id desc limit 1`,
  );

/**
 * Whoever reads the record holds the month, and whoever writes waits behind the one who waits to drop
 * it: so that one waits only shortly, and lets the others pass before it tries again.
 */
async function dropMonth(em: EntityManager, name: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await inTransaction(em, async (tx) => {
        await countOf(tx, sql.raw(`set local lock_timeout = ${monthLockMs}`));
        await countOf(tx, sql`drop table ${sql.table(name)}`);
      });
    } catch (error) {
      if ((error as { code?: string }).code !== lockNotAvailable) throw error;
    }
    if (attempt === monthAttemptsMax) {
      throw new MonthInUse(
        `${name} is in use, perhaps by a backup. Nothing of it was deleted; prune again when that is over.`,
      );
    }
    await sleep(monthRetryMs);
  }
}

async function partitionsBefore(em: EntityManager, before: Date): Promise<string[]> {
  const rows = await rowsOf(
    em,
    sql<{ name: string }>`select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'audit_events'::regclass and c.relname ~ '^audit_events_[0-9]{4}_[0-9]{2}$' order by c.relname`,
  );
  // The names sort by month.
  return rows.map(({ name }) => name).filter((name) => name < partitionName(before));
}
