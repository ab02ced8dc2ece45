import type { EntityManager } from '@mikro-orm/postgresql';
import { type RawBuilder, rowOf, rowsOf, sql, toDate } from '../db/sql.ts';
import { firstIdAt } from '../shared/ids.ts';
import { eventDigest } from './audit.service.ts';
import { sealContent, sealHash } from './sealer.ts';

/*
 * Looks at the whole record and its chains, and names what does not fit. Events are compared with the
 * digests that were sealed, or queued, for them; seals with the hash that each must have after the one
 * before. NULL, which a plain comparison lets pass, fits nothing. Nothing is repaired.
 */

/** Something that is not as it was recorded. */
export interface Finding {
  what:
    | 'changed event'
    | 'missing event'
    | 'inserted event'
    | 'changed seal'
    | 'missing seal'
    | 'changed chain head';
  applicationId: string;
  /** '' for the chain of the application as a whole. */
  tenantId: string;
  /** Null where a seal or a head is meant. */
  eventId: string | null;
  /** The seal's number; null for an event that is in none. */
  seal: number | null;
}

export interface Verification {
  events: number;
  seals: number;
  chains: number;
  /** Recorded, and not sealed yet. */
  unsealed: number;
  /** What was pruned on purpose is not missed; null when nothing was. */
  prunedBefore: Date | null;
  /** At most `findingsMax` of a kind. */
  findings: Finding[];
}

/** Whoever finds so many need not count them. */
export const findingsMax = 1_000;

/** Reads one consistent state, of any size; needs only the right to read. */
export const verifyRecord = (em: EntityManager): Promise<Verification> =>
  em.transactional(
    async (tx) => {
      const counts = await rowOf(
        tx,
        sql<Omit<Verification, 'prunedBefore' | 'findings'> & { prunedBefore: string | null }>`
          select (select count(*) from audit_events)::int as events, (select count(*) from audit_seals)::int as seals,
            (select count(*) from audit_chains)::int as chains, (select count(*) from audit_unsealed)::int as unsealed,
            (select max(before) from audit_prunes) as "prunedBefore"`,
      );
      if (counts === null) throw new Error('A count answers a row.');
      const prunedBefore = counts.prunedBefore === null ? null : toDate(counts.prunedBefore);
      const findings = [
        ...(await rowsOf(tx, badEvents(prunedBefore))),
        ...(await rowsOf(tx, badSeals())),
        ...(await rowsOf(tx, badHeads())),
      ];
      return { ...counts, prunedBefore, findings };
    },
    { isolationLevel: 'repeatable read', readOnly: true },
  );

const badEvents = (prunedBefore: Date | null): RawBuilder<Finding> => sql<Finding>`
  with kept as (
    select s.tenant_id, s.application_id, s.seal, k.id, k.digest
    from audit_seals s cross join lateral unnest(s.event_ids, s.event_digests) as k(id, digest)
    union all
    select tenant_id, application_id, null, event_id, digest from audit_unsealed
  ),
  judged as (
    select case
        when e.id is null then case when (k.id < ${prunedBefore && firstIdAt(prunedBefore)}::uuid) is not true then 'missing event' end
        when k.id is null then 'inserted event'
        when k.digest is distinct from ${eventDigest} then 'changed event'
      end as what,
      coalesce(k.application_id, e.application_id) as "applicationId", coalesce(k.tenant_id, e.tenant_id) as "tenantId",
      coalesce(k.id, e.id) as "eventId", k.seal::int as seal
    from kept k full join audit_events e on e.tenant_id = k.tenant_id and e.id = k.id
  )
  select * from judged where what is not null limit ${findingsMax}`;

/**
 * A chain begins with its first seal, or after the last one that was pruned. Nothing that is NULL
 * may pass: seals are compared by `is distinct from`, and one that names no events is no seal.
 */
const badSeals = (): RawBuilder<Finding> => sql<Finding>`
  with linked as (
    select s.tenant_id, s.application_id, s.seal, s.previous_hash, s.hash, ${isWellFormed} as well_formed,
      ${sealHash(sql`s.previous_hash`, sql`s.seal`, content)} as right_hash,
      case when lag(s.seal) over chain is null then coalesce(p.seal, 0) else lag(s.seal) over chain end as seal_before,
      case when lag(s.seal) over chain is null then coalesce(p.hash, ''::bytea) else lag(s.hash) over chain end as hash_before
    from audit_seals s left join audit_pruned_chains p using (tenant_id, application_id)
    window chain as (partition by s.tenant_id, s.application_id order by s.seal)
  ),
  judged as (
    select l.*, case
        when seal > seal_before + 1 then 'missing seal'
        when seal <= seal_before or not well_formed or hash is distinct from right_hash
          or previous_hash is distinct from hash_before then 'changed seal'
      end as what
    from linked l
  )
  select what, application_id as "applicationId", tenant_id as "tenantId", null as "eventId",
    case when what = 'missing seal' then seal_before + 1 else seal end::int as seal
  from judged where what is not null limit ${findingsMax}`;

/** Each event of a seal `s` has an id and a SHA-256, and there is at least one. */
const isWellFormed = sql`(cardinality(s.event_ids) > 0 and cardinality(s.event_ids) = cardinality(s.event_digests)
  and not exists (
    select from unnest(s.event_ids, s.event_digests) as k(id, digest)
    where k.id is null or octet_length(k.digest) is distinct from 32)) is true`;

const content = sealContent(
  sql`coalesce((select string_agg(uuid_send(k.id) || k.digest, ''::bytea order by k.n)
    from unnest(s.event_ids, s.event_digests) with ordinality as k(id, digest, n)), ''::bytea)`,
);

/**
 * The newest seal of a chain, or the last one that was pruned where none is left, must be the one that
 * its head names: the end can't be cut off.
 */
const badHeads = (): RawBuilder<Finding> => sql<Finding>`
  with kept as (
    select distinct on (tenant_id, application_id) tenant_id, application_id, seal, hash, previous_hash
    from audit_seals order by tenant_id, application_id, seal desc
  ),
  newest as (
    select coalesce(k.seal, p.seal) as seal, case when k.seal is null then p.hash else k.hash end as hash,
      k.previous_hash, k.seal is null as pruned, tenant_id, application_id
    from kept k full join audit_pruned_chains p using (tenant_id, application_id)
  )
  select case when c.seal > coalesce(n.seal, 0) then 'missing seal' else 'changed chain head' end as what,
    application_id as "applicationId", tenant_id as "tenantId", null as "eventId",
    case when c.seal > coalesce(n.seal, 0) then coalesce(n.seal, 0) + 1 else n.seal end::int as seal
  from audit_chains c full join newest n using (tenant_id, application_id)
  where (c.seal, c.hash) is distinct from (n.seal, n.hash) or (c.previous_hash is distinct from n.previous_hash and not n.pruned)
  limit ${findingsMax}`;
