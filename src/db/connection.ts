import { fileURLToPath } from 'node:url';
import type { AnyEntity, EntitySchema, MigrationObject } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { defineConfig, type EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { ClientBase, Pool } from 'pg';
import * as limits from '../shared/limits.ts';
import { PreparedClient, PunctualClient } from './prepared-client.ts';

/** What this build of the server knows of the database. */
export interface Schema {
  // biome-ignore lint/suspicious/noExplicitAny: MikroORM's own constraint for a list of entities
  entities: readonly EntitySchema<any>[];
  migrations: readonly MigrationObject[];
  /** What each migration run sees to after the migrations; may be repeated. */
  prepare(owner: ClientBase): Promise<void>;
}

export interface DatabaseOptions {
  /** postgres://user:password@host:port/database */
  url: string;
  schema: Schema;
  poolConnectionsMax?: number;
  /**
   * Past the pooler, where `url` leads through one that lends a connection per transaction. Such a connection
   * takes no settings along: PostgreSQL's limits on time are then the role's own (see pooled.ts).
   */
  directUrl?: string | undefined;
  /** False where prepared statements do not last, as behind such a pooler. */
  preparesStatements?: boolean;
  /** Makes connections tell of their statements. */
  watch?: ((base: typeof PunctualClient) => typeof PunctualClient) | undefined;
  /** Nothing may be cut off, however long it takes: for migrations and batch work. */
  unlimited?: boolean;
  /** Told of connections that break while idle; queries in flight reject on their own. */
  onConnectionError?: (message: string) => void;
}

export interface Database {
  readonly schema: Schema;
  readonly orm: MikroORM;
  readonly pool: Pool;
  /** Past a pooler, for what needs a session of its own; undefined where there is no pooler. */
  readonly directUrl: string | undefined;
  /** A fresh entity manager: one per request, with an identity map of its own. */
  fork(): EntityManager;
  close(): Promise<void>;
}

/** The driver's own. */
const timeouts = {
  connectionTimeoutMillis: limits.connectTimeoutMs,
  query_timeout: limits.queryTimeoutMs,
};

/** PostgreSQL's, told when a session begins. */
export const sessionTimeouts = {
  statement_timeout: limits.statementTimeoutMs,
  lock_timeout: limits.lockTimeoutMs,
  idle_in_transaction_session_timeout: limits.idleInTransactionTimeoutMs,
};

/** MikroORM's settings; `npm run check` reads them too, to compare entities and migrations. */
export const ormConfig = ({ watch = (base) => base, ...options }: DatabaseOptions) =>
  defineConfig({
    clientUrl: options.url,
    // biome-ignore lint/suspicious/noExplicitAny: MikroORM's own constraint for a list of entities
    entities: [...options.schema.entities] as EntitySchema<AnyEntity | any>[],
    extensions: [Migrator],
    pool: {
      min: 0,
      max: options.poolConnectionsMax ?? limits.poolConnectionsMax,
      idleTimeoutMillis: limits.poolIdleMs,
    },
    driverOptions: {
      // The driver reads all of the address; MikroORM drops what follows the ?, such as sslmode.
      connectionString: options.url,
      application_name: 'cufflink',
      keepAlive: true,
      Client: watch(options.preparesStatements === false ? PunctualClient : PreparedClient),
      ...(options.unlimited ? {} : timeouts),
      ...(options.unlimited || options.directUrl !== undefined ? {} : sessionTimeouts),
    },
    migrations: {
      migrationsList: [...options.schema.migrations],
      path: fileURLToPath(new URL('../../migrations', import.meta.url)),
      snapshotName: '.snapshot',
      snapshotOnMigrate: false,
      silent: true,
    },
    logger: (message) => options.onConnectionError?.(message),
  });

/** Opens the pool. Fails when the database does not answer. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const orm = await MikroORM.init(ormConfig(options));
  const pool = (await orm.em.getConnection().getNativeClient()) as Pool;
  try {
    await pool.query('select 1');
  } catch (error) {
    await orm.close(true);
    throw error;
  }
  return {
    schema: options.schema,
    orm,
    pool,
    directUrl: options.directUrl,
    fork: () => orm.em.fork(),
    close: () => orm.close(true),
  };
}

/** A connection string whose sessions work as another role, one that its user is a member of. */
export function inRole(url: string, role: string): string {
  const changed = new URL(url);
  const options = changed.searchParams.get('options');
  changed.searchParams.set('options', `${options === null ? '' : `${options} `}-c role=${role}`);
  return changed.href;
}
