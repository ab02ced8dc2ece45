import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { databaseLayout } from '../../src/database-layout.ts';
import { databaseSchema } from '../../src/database-schema.ts';
import { distribute } from '../../src/db/distribute.ts';
import { migrate } from '../../src/db/migrate.ts';
import { databaseUrl } from '../setup/harness.ts';
import { createDatabase, dropDatabase, isDistributed } from '../setup/nodes.mjs';

const names: string[] = [];

/** An empty database of the test's own, on the server that the tests use. @returns its URL */
export async function newDatabase(): Promise<string> {
  const name = `cufflink_test_${randomBytes(6).toString('hex')}`;
  await createDatabase(databaseUrl(), name);
  names.push(name);
  const url = new URL(databaseUrl());
  url.pathname = `/${name}`;
  return url.href;
}

/** The same with the tables, distributed where the tests' databases are. */
export async function newMigratedDatabase(): Promise<string> {
  const url = await newDatabase();
  await migrate(url, databaseSchema);
  if (isDistributed) await distribute(url, databaseSchema, databaseLayout, { shards: 2 });
  return url;
}

/** An empty one without any extension, and on one node. */
export async function newPlainDatabase(): Promise<string> {
  const name = `cufflink_test_${randomBytes(6).toString('hex')}`;
  await withClient(databaseUrl(), async (client) => {
    // Means nothing to a server without the extension.
    await client.query('set citus.enable_create_database_propagation = off');
    await client.query(`create database ${name}`);
  });
  names.push(name);
  const url = new URL(databaseUrl());
  url.pathname = `/${name}`;
  return url.href;
}

/** For afterEach, once everything that uses them has ended. */
export async function dropDatabases(): Promise<void> {
  for (const name of names.splice(0)) await dropDatabase(databaseUrl(), name);
}

export async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
