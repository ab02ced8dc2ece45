import { join } from 'node:path';
import type { Client } from 'pg';
import { databaseSchema } from '../../src/database-schema.ts';
import { openDatabase } from '../../src/db/connection.ts';
import { type Seal, sealRestored } from '../../src/restore/seal.ts';
import type { Clock } from '../../src/shared/clock.ts';
import { uuidV7Ids } from '../../src/shared/ids.ts';
import { withClient } from '../process/databases.ts';
import { newFolder, repository, runProcess } from '../process/servers.ts';

/*
 * A backup as a copy of a database (`copyOf`), which CREATE DATABASE makes of one that nobody uses. What is left to
 * the programs of a PostgreSQL, pg_dump and pg_basebackup, is in test/interop.
 */

const run = async (name: string, env: Record<string, string>, args: readonly string[]) =>
  runProcess({
    folder: await newFolder(name),
    env,
    command: [process.execPath, join(repository, `dist/src/commands/${name}.js`), ...args],
  });

/** npm run restore:seal, on the clock of a test. */
export const seal = (url: string, now: Date, ...args: string[]) =>
  run(
    'restore-seal',
    { DATABASE_URL: url, CLOCK_OFFSET_SECONDS: String(Math.ceil((now.getTime() - Date.now()) / 1000)) },
    args,
  );

/** The same in this process. */
export async function sealHere(url: string, clock: Clock, keepsRecoveryCodes = false): Promise<Seal> {
  const database = await openDatabase({
    url,
    schema: databaseSchema,
    unlimited: true,
    poolConnectionsMax: 1,
  });
  try {
    return await sealRestored(database.fork(), { clock, ids: uuidV7Ids(clock), keepsRecoveryCodes });
  } finally {
    await database.close();
  }
}

/** npm run audit:verify */
export const verifyRecord = (url: string) => run('audit-verify', { DATABASE_URL: url }, []);

export const openAs = (url: string) => openDatabase({ url, schema: databaseSchema, unlimited: true });

/** Everything in a database's tables, as text. */
export const contents = (url: string): Promise<Record<string, string[]>> =>
  withClient(url, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      "select c.relname as name from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition order by 1",
    );
    const found: Record<string, string[]> = {};
    for (const { name } of rows) {
      const { rows: lines } = await client.query<{ line: string }>(
        `select to_jsonb(t)::text as line from ${name} t order by 1`,
      );
      found[name] = lines.map(({ line }) => line);
    }
    return found;
  });

/** Holds the one factor of a type that there is; on several nodes rows are held by naming their tenant. */
export async function holdFactor(holder: Client, type: 'TOTP' | 'RECOVERY_CODE'): Promise<void> {
  const { rows } = await holder.query('select tenant_id from auth_factors where type = $1', [type]);
  if (rows.length !== 1) throw new Error(`There are ${rows.length} factors of the type ${type}.`);
  await holder.query('select from auth_factors where tenant_id = $1 and type = $2 for update', [
    rows[0].tenant_id,
    type,
  ]);
}
