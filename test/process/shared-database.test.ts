import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { databaseSchema } from '../../src/database-schema.ts';
import { databaseUrl } from '../setup/harness.ts';
import { dropDatabases, newDatabase, withClient } from './databases.ts';
import { cleanUp, newFolder, repository, runProcess, startProcess, untilTrue } from './servers.ts';

afterEach(async () => {
  await cleanUp();
  await dropDatabases();
});

const knownMigrations = databaseSchema.migrations.map(({ name }) => name);

const migrations = (url: string): Promise<string[]> =>
  withClient(url, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      'select name from mikro_orm_migrations order by id',
    );
    return rows.map(({ name }) => name);
  });

const runMigrate = async (env: Record<string, string>) =>
  runProcess({
    folder: await newFolder(),
    env,
    command: [process.execPath, join(repository, 'dist/src/commands/migrate.js')],
  });

/** A database of a later version of the server. */
async function newNewerDatabase(): Promise<string> {
  const url = await newDatabase();
  await runMigrate({ DATABASE_URL: url });
  await withClient(url, (client) =>
    client.query("insert into mikro_orm_migrations (name) values ('Migration29990101000000')"),
  );
  return url;
}

describe('servers with DATABASE_URL', () => {
  test('REL-5: several that start at once migrate once, serve, and make nothing in their folder', async () => {
    const folder = await newFolder();
    const url = await newDatabase();
    const env = { DATABASE_URL: url, MIGRATE: 'on' };
    const servers = [1, 2, 3].map(() => startProcess({ folder, env }));
    for (const server of servers) {
      const response = await fetch(`${await server.ready()}/health/ready`);
      expect(response.status).toBe(200);
    }
    expect(await migrations(url)).toEqual(knownMigrations);
    for (const server of servers) server.kill('SIGTERM');
    for (const server of servers) expect(await server.ended()).toBe(0);
    expect(await readdir(folder)).toEqual([]);
  });

  test('REL-5: a schema that is older is refused, naming what it lacks', async () => {
    const { code, stderr } = await runProcess({
      folder: await newFolder(),
      env: { DATABASE_URL: await newDatabase() },
    });
    expect(stderr).toBe(
      `The database lacks ${knownMigrations.join(', ')}. Run "npm run migrate", or start with MIGRATE=on.\n`,
    );
    expect(code).toBe(1);
  });

  test.each(['on', 'off'])('REL-5: a schema that is newer is refused with MIGRATE=%s', async (MIGRATE) => {
    const url = await newNewerDatabase();
    const { code, stderr } = await runProcess({
      folder: await newFolder(),
      env: { DATABASE_URL: url, MIGRATE },
    });
    expect(stderr).toBe(
      'The database is newer than this server: it has Migration29990101000000. Start a server of that version.\n',
    );
    expect(code).toBe(1);
  });

  test('a database that does not answer is one sentence', async () => {
    const { code, stderr } = await runProcess({
      folder: await newFolder(),
      env: { DATABASE_URL: 'postgres://user:secret@127.0.0.1:1/none' },
    });
    expect(stderr).toMatch(/^The database of DATABASE_URL can't be used \(ECONNREFUSED\).*\.\n$/);
    expect(stderr).not.toContain('secret');
    expect(code).toBe(1);
  });

  test('SIGTERM ends the wait for another that migrates', async () => {
    const url = await newDatabase();
    await withClient(url, async (client) => {
      await client.query('select pg_advisory_lock(4717321905)');
      const server = startProcess({
        folder: await newFolder(),
        env: { DATABASE_URL: url, MIGRATE: 'on' },
      });
      await untilTrue(async () => {
        const { rowCount } = await client.query(
          "select from pg_stat_activity where application_name = 'cufflink migrate' and datname = current_database()",
        );
        return rowCount === 1;
      });
      await sleep(200);
      server.kill('SIGTERM');
      expect(await server.ended()).toBe(0);
      expect(server.stderr()).toBe('');
    });
  });
});

describe('with MIGRATE=on', () => {
  /** Starts a server. @returns whether it warns that it could change the record */
  const warns = async (url: string, MIGRATE: 'on' | 'off') => {
    const server = startProcess({ folder: await newFolder(), env: { DATABASE_URL: url, MIGRATE } });
    const { status } = await fetch(`${await server.ready()}/health/ready`);
    server.kill('SIGTERM');
    expect([status, await server.ended()]).toEqual([200, 0]);
    return server.stdout().includes('the database role may rewrite the audit record');
  };

  test('LOG-2: a server migrates as the owner, and then serves as who may only add to the record', async () => {
    const url = await newDatabase();
    expect(await warns(url, 'on')).toBe(false);
    // Without, it serves as whom it was given.
    expect(await warns(url, 'off')).toBe(true);
    expect(await warns(url, 'on')).toBe(false);
  });

  test('an owner who may not work as that role serves all the same, and says so', async () => {
    const url = new URL(await newDatabase());
    const name = url.pathname.slice(1);
    await withClient(url.href, async (client) => {
      await client.query(`create role ${name} login password 'owner'`);
      await client.query(`alter database ${name} owner to ${name}`);
    });
    try {
      const owned = new URL(url);
      [owned.username, owned.password] = [name, 'owner'];
      expect(await warns(owned.href, 'on')).toBe(true);
    } finally {
      await dropDatabases();
      await withClient(databaseUrl(), (client) => client.query(`drop role ${name}`));
    }
  });
});

describe('npm run migrate', () => {
  test('migrates, and the second time finds nothing to do', async () => {
    const env = { DATABASE_URL: await newDatabase() };
    expect(await runMigrate(env)).toEqual({
      code: 0,
      stdout: `Migrated: ${knownMigrations.join(', ')}.\n`,
      stderr: '',
    });
    expect(await runMigrate(env)).toEqual({ code: 0, stdout: 'The schema is up to date.\n', stderr: '' });
  });

  test('refuses a database that is newer', async () => {
    const { code, stderr } = await runMigrate({ DATABASE_URL: await newNewerDatabase() });
    expect(stderr).toMatch(/^The database is newer than this server/);
    expect(code).toBe(1);
  });

  test('asks for DATABASE_URL', async () => {
    const { code, stderr } = await runMigrate({});
    expect(stderr).toMatch(/^DATABASE_URL is required/);
    expect(code).toBe(1);
  });
});
