// Plain JavaScript on purpose: jest runs it before its transforms. It uses the built server.
import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { databaseLayout } from '../../dist/src/database-layout.js';
import { databaseSchema } from '../../dist/src/database-schema.js';
import { distribute } from '../../dist/src/db/distribute.js';
import { startEmbeddedPostgres } from '../../dist/src/db/embedded.js';
import { migrate } from '../../dist/src/db/migrate.js';
import { closeDatabase, copyDatabase, createDatabase, dropDatabase, isDistributed } from './nodes.mjs';
import { startPgBouncer } from './pgbouncer.mjs';

/** One PostgreSQL for the run: the one of TEST_DATABASE_URL, or an embedded one. A database of its own for each run. */
export default async function globalSetup() {
  const server = await findServer();
  const name = `cufflink_test_${randomBytes(6).toString('hex')}`;
  await createDatabase(server.url, name);
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  await migrate(url.href, databaseSchema);
  if (isDistributed) {
    await distribute(url.href, databaseSchema, databaseLayout, { shards: 4 });
    // Tests put on the servers' role, and so log in as it on the other nodes.
    await asAdmin(url.href, 'alter role cufflink_server login');
  }
  // While nobody is connected: tests that need a database of their own copy this one.
  const template = `${name}_template`;
  await copyDatabase(server.url, name, template);
  await closeDatabase(server.url, template);
  process.env.CUFFLINK_TEST_TEMPLATE = template;
  process.env.CUFFLINK_TEST_DATABASE = url.href;
  const pooler = process.env.TEST_POOLER === 'pgbouncer' ? await startPgBouncer(url) : null;
  if (pooler) process.env.CUFFLINK_TEST_POOLER = pooler.url;
  globalThis.cufflinkTestRun = {
    async end() {
      await pooler?.stop();
      for (const each of [name, template]) await dropDatabase(server.url, each);
      await server.stop();
    },
  };
}

async function findServer() {
  const given = process.env.TEST_DATABASE_URL;
  if (given) return { url: given, stop: async () => {} };
  const folder = await mkdtemp(join(tmpdir(), 'cufflink-test-'));
  const embedded = await startEmbeddedPostgres(join(folder, 'postgres'), [
    'fsync=off',
    'max_connections=400',
  ]);
  return {
    url: embedded.url,
    async stop() {
      await embedded.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function asAdmin(url, statement) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(statement);
  await client.end();
}
