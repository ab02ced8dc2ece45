import { randomInt } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Database } from '../db/connection.ts';
import {
  countOf,
  hot,
  inTransaction,
  partsOf,
  type RawBuilder,
  rowOf,
  rowsOf,
  type Statements,
  sql,
} from '../db/sql.ts';
import type { Failed } from '../shared/background.ts';
import type { Clock } from '../shared/clock.ts';
import { isOrphaned } from '../shared/errors.ts';
import {
  sealChainsMax,
  sealEventsMax,
  sealIntervalMs,
  sealPassChainsMax,
  sealTriesMax,
} from '../shared/limits.ts';

/*
 * Seals what was recorded: appends it to the hash chain of its tenant (or, for what concerns an
 * application as a whole, of the application). Whoever records only queues a digest; so writers
 * never wait for each other's place in the chain, and what happened before is sealed before.
 *
 * Several servers may seal at once; a chain is locked by whoever works on it, and passed over by the
 * others.
 */

export interface Chain {
  tenantId: string;
  applicationId: string;
}

/**
 * What else comes of the events of a seal, in the same statement.
 * @param sealed rows (tenant_id, application_id, event_id, at, action, ordinal), of a part of the WITH
 * @param seal a row (seal) with the seal's number
 */
export type OnSealed = (sealed: RawBuilder<unknown>, seal: RawBuilder<unknown>) => Statements;

/**
 * Seals all that is queued.
 * @param isStopped asked between seals: while others write, there may be no end of what is queued
 * @returns how many events were sealed
 */
export async function sealAll(
  database: Database,
  clock: Clock,
  onSealed?: OnSealed,
  isStopped: () => boolean = () => false,
): Promise<number> {
  let sealed = 0;
  for (;;) {
    const chains = await unsealedChains(database.fork());
    const count = await sealChains(database, clock, chains, onSealed, isStopped);
    sealed += count;
    if (count === 0 || isStopped()) return sealed;
  }
}

/** Some chains at once, each beginning with the next that nobody took. */
async function sealChains(
  database: Database,
  clock: Clock,
  chains: readonly Chain[],
  onSealed: OnSealed | undefined,
  isStopped: () => boolean,
): Promise<number> {
  const queue = [...chains];
  let count = 0;
  const work = async () => {
    for (let chain = queue.shift(); chain && !isStopped(); chain = queue.shift()) {
      const sealed = await sealChainAgain(database, clock, chain, onSealed);
      count += sealed;
    }
  };
  // Where one fails, the others end before that is told: nothing is at work that nobody waits for.
  const works = await Promise.allSettled(Array.from({ length: sealChainsMax }, work));
  const failed = works.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined;
  if (failed) throw failed.reason;
  return count;
}

/** What comes of a seal may refer to what was deleted meanwhile; then it is done anew, and finds that gone. */
async function sealChainAgain(
  database: Database,
  clock: Clock,
  chain: Chain,
  onSealed: OnSealed | undefined,
): Promise<number> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await sealChain(database.fork(), clock, chain, onSealed);
    } catch (error) {
      if (!isOrphaned(error) || tries === sealTriesMax) throw error;
    }
  }
}

/** The chains that have waited longest, from anywhere among them on: several servers shall not all begin with the same. */
async function unsealedChains(em: EntityManager): Promise<Chain[]> {
  const chains = await rowsOf(
    em,
    hot(sql<Chain>`select tenant_id as "tenantId", application_id as "applicationId" from audit_unsealed
      group by tenant_id, application_id order by min(position) limit ${sealPassChainsMax}`),
  );
  const start = chains.length === 0 ? 0 : randomInt(chains.length);
  return [...chains.slice(start), ...chains.slice(0, start)];
}

/**
 * Takes what is queued of a chain and appends one seal over it. A chain's first seal is appended to a
 * head before it, which nobody else sees.
 */
async function sealChain(
  em: EntityManager,
  clock: Clock,
  chain: Chain,
  onSealed?: OnSealed,
): Promise<number> {
  const { count, begun } = await appendSeal(em, clock, chain, onSealed);
  if (begun) return count;
  return inTransaction(em, async (tx) => {
    await countOf(
      tx,
      sql`insert into audit_chains (tenant_id, application_id, seal, previous_hash, hash)
        values (${chain.tenantId}, ${chain.applicationId}, 0, ''::bytea, ''::bytea) on conflict do nothing`,
    );
    const first = await appendSeal(tx, clock, chain, onSealed);
    if (first.count > 0) return first.count;
    // Another server is at it, or was: what it left is whole, and a head without a seal is not.
    await countOf(
      tx,
      sql`delete from audit_chains
        where tenant_id = ${chain.tenantId} and application_id = ${chain.applicationId} and seal = 0`,
    );
    return 0;
  });
}

/**
 * In one statement. The chain's head is read by the UPDATE that moves it, so it is the newest even where
 * another server was faster.
 * @returns begun: whether the chain has a head; without one nothing was done
 */
async function appendSeal(
  em: EntityManager,
  clock: Clock,
  { tenantId, applicationId }: Chain,
  onSealed: OnSealed = () => ({}),
): Promise<{ count: number; begun: boolean }> {
  const lock = JSON.stringify([tenantId, applicationId]);
  const row = await rowOf(
    em,
    hot(sql<{ count: number; begun: boolean }>`
      with mine as materialized (select pg_try_advisory_xact_lock(hashtextextended(${lock}, ${chainLock}::bigint)) as it),
      begun as materialized (
        select 1 from audit_chains where tenant_id = ${tenantId} and application_id = ${applicationId}),
      taken as (
        delete from audit_unsealed u
        where u.tenant_id = ${tenantId} and u.application_id = ${applicationId} and (select it from mine)
          and exists (select 1 from begun) and u.position in (
            select position from audit_unsealed
            where tenant_id = ${tenantId} and application_id = ${applicationId} order by position limit ${sealEventsMax})
        returning u.event_id, u.digest, u.at, u.action, u.position
      ),
      sealed as (
        select ${tenantId}::text as tenant_id, ${applicationId}::text as application_id, event_id, digest, at, action,
          row_number() over (order by position)::int as ordinal
        from taken
      ),
      batch as (
        select array_agg(event_id order by ordinal) as ids, array_agg(digest order by ordinal) as digests,
          ${sealContent(sql`string_agg(uuid_send(event_id) || digest, ''::bytea order by ordinal)`)} as content
        from sealed having count(*) > 0
      ),
      head as (
        update audit_chains c set seal = c.seal + 1, previous_hash = c.hash,
          hash = ${sealHash(sql`c.hash`, sql`c.seal + 1`, sql`b.content`)}
        from batch b where c.tenant_id = ${tenantId} and c.application_id = ${applicationId}
        returning c.seal, c.previous_hash, c.hash
      ),
      written as (
        insert into audit_seals (tenant_id, application_id, seal, event_ids, event_digests, sealed_at, previous_hash, hash)
        select ${tenantId}, ${applicationId}, seal, ids, digests, ${clock.now()}::timestamptz, previous_hash, hash from head, batch
      ),
      ${partsOf(onSealed(sql`sealed`, sql`head`))}
      done as (select count(*)::int as count from taken)
      select count, exists (select 1 from begun) as begun from done`),
  );
  return row ?? { count: 0, begun: true };
}

/** What a seal is over: the ids and digests of its events. @param bytes of all of them */
export const sealContent = (bytes: RawBuilder<unknown>) => sql`sha256(${bytes})`;

/** A seal's hash: over the hash before it, its number and its content. */
export const sealHash = (
  previous: RawBuilder<unknown>,
  seal: RawBuilder<unknown>,
  content: RawBuilder<unknown>,
) => sql`sha256(${previous} || int8send(${seal}) || ${content})`;

/** Any fixed number, so that chains share no lock with anything else. */
const chainLock = 4_717_321_906;

export interface Sealer {
  stop(): Promise<void>;
}

/** Seals again and again, until stopped. What is left then is sealed by another server, or the next start. */
export function startSealer(database: Database, clock: Clock, failed: Failed, onSealed?: OnSealed): Sealer {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();
  const next = () => {
    if (stopped) return;
    timer = setTimeout(() => {
      running = sealAll(database, clock, onSealed, () => stopped)
        .catch((error) => failed('sealer', error, 'sealing the record failed; it is tried again'))
        .finally(next);
    }, sealIntervalMs);
    timer.unref();
  };
  next();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
