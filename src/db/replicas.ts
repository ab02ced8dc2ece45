import { setTimeout as sleep } from 'node:timers/promises';
import { Kysely, PostgresDialect, type RawBuilder } from 'kysely';
import { LRUCache } from 'lru-cache';
import pg, { type Pool } from 'pg';
import * as limits from '../shared/limits.ts';
import type { Database } from './connection.ts';
import { ReplicaLag } from './replica-lag.ts';

/*
 * Read replicas. Which reads may go to one is decided in caller/stale-reads.ts; here is seen to it that none
 * fails for a replica's fault: one that is down, slow, late, on another schema or no replica of this primary is left out,
 * and a read that a replica refuses or cuts off is asked of the primary instead.
 */

/** Why a replica is left out; null: it is not. */
export type ReplicaFault =
  | 'unchecked'
  | 'unreachable'
  | 'not a replica'
  | 'another database'
  | 'schema'
  | 'late';

export interface ReplicaState {
  /** Its place in DATABASE_REPLICA_URLS, from 1: neither logs nor metrics name hosts. */
  readonly number: number;
  readonly fault: ReplicaFault | null;
  /** The SQLSTATE or the network's code with which it was found; null where it said none. */
  readonly code: string | null;
  /** What it may lack, at most; Infinity where nothing is known. */
  readonly lagMs: number;
  readonly answered: number;
  readonly refused: number;
}

interface Log {
  warn(details: object, message: string): void;
  info(details: object, message: string): void;
}

export interface ReplicasOptions {
  urls: readonly string[];
  primary: Database;
  /** Milliseconds of a clock that is never set. */
  now?: () => number;
}

export class Replicas {
  readonly #primary: Database;
  /** The check's own, so that it never waits behind calls. */
  readonly #checking: Pool;
  readonly #replicas: readonly Replica[];
  readonly #now: () => number;
  readonly #lag = new ReplicaLag(rememberedMs);
  readonly #writers: LRUCache<string, number>;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #turn = 0;

  constructor({ urls, primary, now = () => performance.now() }: ReplicasOptions) {
    this.#primary = primary;
    this.#now = now;
    const { options } = primary.pool;
    this.#checking = quiet(
      new pg.Pool({ ...options, password: options.password, min: 0, max: 1, ...checkTimes }),
    );
    this.#replicas = urls.map((url, index) => new Replica(index + 1, url, options));
    this.#writers = new LRUCache({ max: limits.replicaWritersMax });
  }

  get states(): readonly ReplicaState[] {
    const now = this.#now();
    return this.#replicas.map((replica) => replica.stateAt(now));
  }

  /** Checks the replicas again and again; until the first check, none is used. */
  start(log: Log): void {
    const { signal } = this.#stopping;
    const told = this.#replicas.map((): ReplicaFault | null => 'unchecked');
    this.#running = (async () => {
      while (!signal.aborted) {
        await this.check();
        for (const [index, { number, fault, code }] of this.states.entries()) {
          if (fault === told[index]) continue;
          told[index] = fault;
          if (fault === null) log.info({ replica: number }, 'the replica answers reads');
          else
            log.warn(
              { replica: number, fault, ...(code !== null && { code }) },
              'the replica is left out; the primary answers',
            );
        }
        await sleep(limits.replicaCheckMs, undefined, { signal }).catch(() => {});
      }
    })();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    const closed = (async () => {
      await this.#running;
      await Promise.all([this.#checking.end(), ...this.#replicas.map((replica) => replica.close())]);
    })();
    // One that does not answer may keep a connection open for long; the process does not wait for it.
    await Promise.race([closed, sleep(limits.replicaCheckTimeoutMs, undefined, { ref: false })]);
  }

  /** One comparison of all replicas with the primary. */
  async check(): Promise<void> {
    const at = this.#now();
    // Where the primary does not answer, nothing new is known of how late replicas are: soon none is used.
    const primary = await ask<Identity>(this.#checking, primarySql).catch(() => null);
    if (primary !== null) this.#lag.saw(BigInt(primary.position), at);
    const known = this.#primary.schema.migrations.map(({ name }) => name).toSorted();
    await Promise.all(this.#replicas.map((replica) => replica.check(primary, this.#lag, known)));
  }

  /**
   * Whoever changes something reads it afterwards: its reads go to the primary until replicas have all of it.
   * @param until by when the change is done
   */
  wrote(who: string, until: number): void {
    this.#writers.set(who, until);
  }

  /** @returns null where the primary has to be asked */
  async rowsOf<Row>(statement: RawBuilder<Row>, who: string): Promise<Row[] | null> {
    const replica = this.#next(this.#writers.get(who) ?? Number.NEGATIVE_INFINITY);
    return replica === null ? null : replica.rowsOf(statement);
  }

  /** Each in its turn, of those that are well and have all that was committed before a moment. */
  #next(completeFrom: number): Replica | null {
    const now = this.#now();
    for (let tries = 0; tries < this.#replicas.length; tries += 1) {
      const replica = this.#replicas[this.#turn % this.#replicas.length] as Replica;
      this.#turn += 1;
      if (replica.stateAt(now).fault === null && replica.completeAt >= completeFrom) return replica;
    }
    return null;
  }
}

class Replica {
  readonly #number: number;
  readonly #pool: Pool;
  readonly #checking: Pool;
  readonly #client: Kysely<unknown>;
  #fault: ReplicaFault | null = 'unchecked';
  #code: string | null = null;
  #completeAt = Number.NEGATIVE_INFINITY;
  #answered = 0;
  #refused = 0;

  constructor(number: number, url: string, primary: Pool['options']) {
    this.#number = number;
    const { types, Client, statement_timeout, lock_timeout } = primary as pg.PoolConfig;
    const options: pg.PoolConfig = {
      connectionString: url,
      application_name: 'cufflink',
      keepAlive: true,
      types,
      Client,
      min: 0,
      idleTimeoutMillis: limits.poolIdleMs,
    };
    this.#pool = quiet(
      new pg.Pool({
        ...options,
        max: limits.poolConnectionsMax,
        connectionTimeoutMillis: limits.replicaConnectTimeoutMs,
        query_timeout: limits.replicaQueryTimeoutMs,
        // Where the primary's connections say nothing of limits, a pooler would not take it from these either.
        ...(statement_timeout && { statement_timeout: limits.replicaStatementTimeoutMs }),
        ...(lock_timeout && { lock_timeout: limits.replicaStatementTimeoutMs }),
      }),
    );
    this.#checking = quiet(new pg.Pool({ ...options, max: 1, ...checkTimes }));
    this.#client = new Kysely({ dialect: new PostgresDialect({ pool: this.#pool }) });
  }

  get completeAt(): number {
    return this.#completeAt;
  }

  stateAt(now: number): ReplicaState {
    const lagMs = now - this.#completeAt;
    const fault = this.#fault ?? (lagMs > limits.replicaLagMsMax ? 'late' : null);
    const code = this.#fault === null ? null : this.#code;
    return { number: this.#number, fault, code, lagMs, answered: this.#answered, refused: this.#refused };
  }

  async check(primary: Identity | null, lag: ReplicaLag, known: readonly string[]): Promise<void> {
    try {
      this.#code = null;
      const found = await ask<Identity & { replays: boolean }>(this.#checking, replicaSql);
      // Its log's positions mean something only beside those of its own primary.
      const isOurs =
        primary === null || (found.system === primary.system && found.database === primary.database);
      if (!found.replays) this.#fault = 'not a replica';
      else if (!isOurs) this.#fault = 'another database';
      else {
        const migrations = await ask<{ names: string[] }>(this.#checking, migrationsSql);
        this.#fault = `${migrations.names}` === `${known}` ? null : 'schema';
        this.#completeAt = lag.completeAt(BigInt(found.position));
      }
    } catch (error) {
      // 42P01, 42501: there is no list of migrations, or it is not for us.
      this.#code = (error as { code?: string }).code ?? null;
      this.#fault = /^42/.test(this.#code ?? '') ? 'schema' : 'unreachable';
    }
  }

  async rowsOf<Row>(statement: RawBuilder<Row>): Promise<Row[] | null> {
    try {
      const { rows } = await statement.execute(this.#client);
      this.#answered += 1;
      return rows;
    } catch (error) {
      this.#refused += 1;
      // Neither a statement that it cut off (too slow, or in the way of replaying) nor a pool that is all in use
      // says anything of the next read. After anything else it has to pass a check first.
      const { code, message } = error as Error & { code?: string };
      const isWell =
        code === '57014' || code === '40001' || message === 'timeout exceeded when trying to connect';
      if (!isWell) [this.#fault, this.#code] = ['unreachable', code ?? null];
      return null;
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#client.destroy(), this.#checking.end()]);
  }
}

interface Identity {
  system: string;
  database: string;
  /** Of the log: flushed on a primary, replayed on a replica. */
  position: string;
}

const identity = `(select system_identifier::text from pg_control_system()) as system, current_database()::text as database`;
const primarySql = `select ${identity}, (pg_current_wal_flush_lsn() - '0/0')::text as position`;
const replicaSql = `select ${identity}, pg_is_in_recovery() as replays,
  coalesce(pg_last_wal_replay_lsn() - '0/0', 0)::text as position`;
const migrationsSql = `select array(select name::text collate "C" from mikro_orm_migrations order by 1) as names`;

/** Beyond this, how late a replica is does not matter. */
const rememberedMs = 60_000;

const checkTimes = {
  connectionTimeoutMillis: limits.replicaCheckTimeoutMs,
  query_timeout: limits.replicaCheckTimeoutMs,
};

async function ask<Row>(pool: Pool, text: string): Promise<Row> {
  const { rows } = await pool.query(text);
  return rows[0] as Row;
}

/** Connections that break while idle are replaced; what asks on one fails by itself. */
function quiet(pool: Pool): Pool {
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}
