import type { ClientBase } from 'pg';
import { auditParts } from '../audit/audit.service.ts';
import type { Database } from '../db/connection.ts';
import { sql } from '../db/sql.ts';
import type { Clock } from '../shared/clock.ts';
import { uuidV7Ids } from '../shared/ids.ts';
import type { KeyRing } from '../shared/key-ring.ts';
import { Loader } from './loader.ts';
import { type SeedOptions, SeedRefused } from './options.ts';
import { Random } from './random.ts';
import { type TableName, tables } from './tables.ts';
import { applicationRow, type SeededApplication, seedApplication, seedTenant, tenantRow } from './tenants.ts';
import { seedUser } from './users.ts';

export interface SeedDeps {
  database: Database;
  clock: Clock;
  keyRing: KeyRing;
  /** Gives up; nothing is written then. */
  signal: AbortSignal;
  /** Told of each row that was made, of tenants and users. */
  onProgress(): void;
}

export type Seeded = Record<TableName, number>;

/**
 * Writes applications, tenants and users, in one transaction, and has the planner look at them.
 * @returns how many rows of each table
 * @throws SeedRefused when names are taken; the signal's reason
 */
export async function seed(deps: SeedDeps, options: SeedOptions): Promise<Seeded> {
  const { database } = deps;
  const client = await database.pool.connect();
  let seeded: Seeded;
  try {
    await client.query('begin');
    seeded = await fill(client, deps, options);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw isTaken(error) ? namesAreTaken(options) : error;
  } finally {
    client.release();
  }
  // The visibility map comes with it, without which no read of an index alone is to be had.
  await database.pool.query(`vacuum (analyze) ${Object.keys(tables).join(', ')}`);
  return seeded;
}

async function fill(client: ClientBase, deps: SeedDeps, options: SeedOptions): Promise<Seeded> {
  const { clock, keyRing, signal, onProgress } = deps;
  const { prefix, tenants, users } = options;
  const now = clock.now();
  const random = new Random(options.seed);
  const loader = new Loader(client);

  const applications = Array.from({ length: options.applications }, (_, index) =>
    seedApplication(random, prefix, index + 1, now),
  );
  for (const application of applications) loader.add('applications', applicationRow(application));

  const sizes = tenantSizes(random, tenants, users);
  let usersMade = 0;
  for (const [index, size] of sizes.entries()) {
    // Each application has the tenants that come next, and as many as the others, or one more.
    const application = applications[Math.floor((index * applications.length) / tenants)];
    const tenant = seedTenant(random, application as SeededApplication, prefix, index + 1, now);
    loader.add('tenants', tenantRow(tenant));
    onProgress();
    await loader.tick();
    signal.throwIfAborted();
    for (let made = 0; made < size; made += 1) {
      usersMade += 1;
      const { user, factors, pending } = seedUser({ random, keyRing, now }, tenant, prefix, usersMade);
      loader.add('users', user);
      for (const factor of factors) loader.add('auth_factors', factor);
      for (const factor of pending) loader.add('pending_auth_factors', factor);
      onProgress();
      await loader.tick();
      signal.throwIfAborted();
    }
  }
  await loader.end();
  await record(client, deps, options, applications);
  // The last moment at which it can still be taken back.
  signal.throwIfAborted();
  const names = Object.keys(tables) as TableName[];
  return Object.fromEntries(names.map((name) => [name, loader.count(name)])) as Seeded;
}

/** Shares users out as customers are: most tenants are small, and few have hundreds of times as many. */
function tenantSizes(random: Random, tenants: number, users: number): number[] {
  // A Pareto distribution of exponent 5/3.
  const weights = Array.from({ length: tenants }, () => (1 - random.fraction()) ** -0.6);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let weightSoFar = 0;
  let usersSoFar = 0;
  return weights.map((weight, index) => {
    weightSoFar += weight;
    const upTo = index === tenants - 1 ? users : Math.round((weightSoFar / total) * users);
    const size = upTo - usersSoFar;
    usersSoFar = upTo;
    return size;
  });
}

/** One event for each application: what is in it has no history. */
async function record(
  client: ClientBase,
  { database, clock }: SeedDeps,
  { prefix, seed }: SeedOptions,
  applications: readonly SeededApplication[],
): Promise<void> {
  const entries = applications.map(({ id, displayName }) => ({
    action: 'application.created' as const,
    applicationId: id,
    detail: { displayName, seeded: { prefix, seed } },
  }));
  const parts = auditParts({ ids: uuidV7Ids(clock) }, 'seed', entries);
  const connection = database.orm.em.getConnection().getClient();
  const statement = sql`with ${parts} select 1`.compile(connection);
  await client.query(statement.sql, [...statement.parameters]);
}

const isTaken = (error: unknown): boolean => (error as { code?: string }).code === '23505';

const namesAreTaken = ({ prefix }: SeedOptions): SeedRefused =>
  new SeedRefused([`There are applications or tenants that begin with ${prefix}-; give another --prefix.`]);
