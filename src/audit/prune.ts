import type { EntityManager } from '@mikro-orm/postgresql';
import { countOf, rowOf, rowsOf, sql } from '../db/sql.ts';
import { partitionName } from './append-only.ts';
import { madeAt } from './verify.ts';

export interface Prune {
  /** Names of the months' partitions that go whole. */
  partitions: string[];
  /** Events that go one by one, because they came before their month's partition was made. */
  otherEvents: number;
  seals: number;
}

/** How long the deletion waits for its turn before it gives up; nobody is held up longer. */
const lockTimeoutSeconds = 5;

/**
 * Deletes the record before a month, and the seals over it. That it was done is kept, so that what is
 * gone is not missed. Needs the owner of the tables.
 * @param before the first moment of a month (UTC); what is from then on stays
 * @param isPlan only tells what would go
 */
export const pruneRecord = (em: EntityManager, before: Date, now: Date, isPlan: boolean): Promise<Prune> =>
  em.transactional(async (tx) => {
    await countOf(tx, sql.raw(`set local lock_timeout = '${lockTimeoutSeconds}s'`));
    const partitions = await partitionsBefore(tx, before);
    const isOld = sql`at < ${before}`;
    const sealsGo = sql`s.seal < coalesce((
        select min(k.seal) from audit_seals k
        where k.tenant_id = s.tenant_id and k.application_id = s.application_id
          and exists (select from unnest(k.event_ids) as id where ${madeAt(sql`id`)} >= ${before.getTime()}::bigint)
      ), 9223372036854775807)`;
    const counts = await rowOf(
      tx,
      sql<{ otherEvents: number; seals: number }>`
        select (select count(*)::int from audit_events_default where ${isOld}) as "otherEvents",
          (select count(*)::int from audit_seals s where ${sealsGo}) as seals`,
    );
    if (counts === null) throw new Error('A count answers a row.');
    if (!isPlan) {
      for (const name of partitions) await countOf(tx, sql`drop table ${sql.table(name)}`);
      await countOf(tx, sql`delete from audit_events_default where ${isOld}`);
      await countOf(
        tx,
        sql`delete from audit_unsealed where ${madeAt(sql`event_id`)} < ${before.getTime()}::bigint`,
      );
      await countOf(tx, sql`delete from audit_seals s where ${sealsGo}`);
      await countOf(
        tx,
        sql`insert into audit_prunes (before, pruned_at) values (${before}, ${now})
          on conflict (before) do update set pruned_at = excluded.pruned_at`,
      );
    }
    return { partitions, ...counts };
  });

async function partitionsBefore(em: EntityManager, before: Date): Promise<string[]> {
  const rows = await rowsOf(
    em,
    sql<{ name: string }>`select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'audit_events'::regclass and c.relname ~ '^audit_events_[0-9]{4}_[0-9]{2}$' order by c.relname`,
  );
  // The names sort by month.
  return rows.map(({ name }) => name).filter((name) => name < partitionName(before));
}
