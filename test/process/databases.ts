import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { databaseUrl } from '../setup/harness.ts';
import { copyDatabase, createDatabase, dropDatabase } from '../setup/nodes.mjs';

const names: string[] = [];

/** An empty database of the test's own, on the server that the tests use. @returns its URL */
export async function newDatabase(): Promise<string> {
  const name = newName();
  await createDatabase(databaseUrl(), name);
  return urlOf(name);
}

/** The same with the tables, distributed where the tests' databases are. */
export async function newMigratedDatabase(): Promise<string> {
  const template = process.env['CUFFLINK_TEST_TEMPLATE'];
  if (!template) throw new Error('The tests run by jest, which makes their template first.');
  return copyOf(urlOf(template));
}

/** A copy of a database as it is now, to which nobody is connected. @returns the copy's URL */
export async function copyOf(url: string): Promise<string> {
  const name = newName();
  await copyDatabase(databaseUrl(), new URL(url).pathname.slice(1), name);
  return urlOf(name);
}

/** An empty one without any extension, and on one node. */
export async function newPlainDatabase(): Promise<string> {
  const name = newName();
  await withClient(databaseUrl(), async (client) => {
    // Means nothing to a server without the extension.
    await client.query('set citus.enable_create_database_propagation = off');
    await client.query(`create database ${name}`);
  });
  return urlOf(name);
}

/** For `dropDatabases`. */
function newName(): string {
  const name = `cufflink_test_${randomBytes(6).toString('hex')}`;
  names.push(name);
  return name;
}

function urlOf(name: string): string {
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
