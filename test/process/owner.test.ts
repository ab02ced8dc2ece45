import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { databaseSchema } from '../../src/database-schema.ts';
import { startEmbeddedPostgres } from '../../src/db/embedded.ts';
import { migrate, withMigrationLock } from '../../src/db/migrate.ts';
import { dropDatabases, newDatabase, newMigratedDatabase, withClient } from './databases.ts';
import {
  cleanUp,
  newFolder,
  repository,
  runProcess,
  type ServerOptions,
  startProcess,
  untilTrue,
} from './servers.ts';

/* What works as the owner of the tables: past a pooler, one at a time, and with or without the right to make roles. */

afterEach(async () => {
  await cleanUp();
  await dropDatabases();
});

const command = async (
  name: string,
  env: Record<string, string>,
  ...args: string[]
): Promise<ServerOptions> => ({
  folder: await newFolder(name),
  env,
  command: [process.execPath, join(repository, `dist/src/commands/${name}.js`), ...args],
});

/** An address where nothing answers, in the place of a pooler. */
const nowhere = 'postgres://nobody@127.0.0.1:1/none';

describe('DATABASE_DIRECT_URL', () => {
  test('is what npm run migrate goes by', async () => {
    const env = { DATABASE_URL: nowhere, DATABASE_DIRECT_URL: await newDatabase() };
    const { code, stdout, stderr } = await runProcess(await command('migrate', env));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^Migrated: /);
  });

  test.each([
    ['audit-verify'],
    ['audit-prune', '--before', '2020-01', '--plan'],
    ['keys-rotate', '--plan'],
    ['restore-seal', '--plan'],
    ['seed', '--tenants', '1', '--users', '1'],
  ])('is what the command %s goes by', async (name, ...args) => {
    const env = {
      DATABASE_URL: nowhere,
      DATABASE_DIRECT_URL: await newMigratedDatabase(),
      ENCRYPTION_KEYS: `one:${Buffer.alloc(32, 1).toString('base64')}`,
    };
    const { code, stderr } = await runProcess(await command(name, env, ...args));
    expect({ code, error: /.*can't be used.*/.exec(stderr) }).toEqual({ code: 0, error: null });
  });

  test('is what npm run db:distribute goes by', async () => {
    const env = { DATABASE_URL: nowhere, DATABASE_DIRECT_URL: await newDatabase() };
    const { stderr } = await runProcess(await command('db-distribute', env, '--plan'));
    expect(stderr).toMatch(/^The database lacks Migration/);
  });
});

describe('who waits for another that migrates', () => {
  test('says after a few seconds for whom, and goes on when it is done', async () => {
    const url = await newDatabase();
    await withClient(`${url}${url.includes('?') ? '&' : '?'}application_name=holder`, async (holder) => {
      await holder.query('select pg_advisory_lock(4717321905)');
      const { rows } = await holder.query<{ pid: number }>('select pg_backend_pid() as pid');
      const waiting = startProcess(await command('migrate', { DATABASE_URL: url }));
      await untilTrue(async () => waiting.stderr() !== '', 30_000);
      expect(waiting.stderr()).toMatch(
        new RegExp(
          `^Waiting for another session that changes the schema: pid ${rows[0]?.pid}, holder, .*\\.\n$`,
        ),
      );
      await holder.query('select pg_advisory_unlock_all()');
      expect(await waiting.ended()).toBe(0);
    });
  });

  test('gives up in the end, and says whom it waited for', async () => {
    const url = await newDatabase();
    await withClient(url, async (holder) => {
      await holder.query('select pg_advisory_lock(4717321905)');
      const told: string[] = [];
      const waits = { tellMs: 200, msMax: 1_000, warn: (line: string) => told.push(line) };
      await expect(withMigrationLock(url, async () => {}, waits)).rejects.toThrow(
        /^Another session has been changing the schema for 1 s: pid \d+.*select pg_terminate_backend\(\d+\)/s,
      );
      expect(told).toHaveLength(1);
    });
  });
});

describe('an owner who may not make roles', () => {
  let postgres: { url: string; stop(): Promise<void> };
  let home: string;
  let admin: string;
  let owner: string;
  beforeAll(async () => {
    // A server of its own: another's role of servers may be there already.
    home = await mkdtemp(join(tmpdir(), 'cufflink-roles-'));
    postgres = await startEmbeddedPostgres(join(home, 'postgres'), ['fsync=off']);
    await withClient(postgres.url, async (client) => {
      await client.query("create role owner login password 'owner'");
      await client.query('create database owned owner owner');
      await client.query("create role stranger login password 'stranger'");
    });
    admin = at({});
    owner = at({ username: 'owner', password: 'owner' });
  }, 60_000);
  afterAll(async () => {
    await postgres?.stop();
    await rm(home, { recursive: true, force: true });
  });

  const at = (login: { username?: string; password?: string }): string =>
    Object.assign(new URL(postgres.url), { pathname: '/owned', ...login }).href;

  const startAs = async (url: string, more: Record<string, string> = {}) => {
    const server = startProcess({ folder: await newFolder('serving'), env: { DATABASE_URL: url, ...more } });
    await server.ready();
    server.kill('SIGTERM');
    await server.ended();
    return server.stdout();
  };

  test('is told by migrating what to run, a server says it too, and once it was run all is well', async () => {
    const statement = 'create role cufflink_server nologin role "owner"';
    const first = await runProcess(await command('migrate', { DATABASE_URL: owner }));
    expect(first).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Migrated: /) });
    expect(first.stderr).toContain(statement);
    expect(first.stderr).toContain('npm run migrate');

    const unaided = await startAs(owner, { MIGRATE: 'on' });
    const warning = unaided.split('\n').find((line) => line.includes('may rewrite the audit record'));
    expect(warning).toContain('create role cufflink_server');

    await withClient(admin, (client) => client.query(statement));
    const again = await runProcess(await command('migrate', { DATABASE_URL: owner }));
    expect(again).toEqual({ code: 0, stdout: 'The schema is up to date.\n', stderr: '' });
    expect(await startAs(owner, { MIGRATE: 'on' })).not.toContain('may rewrite the audit record');

    await withClient(admin, (client) =>
      client.query("create role serving login password 'x' in role cufflink_server"),
    );
    expect(await startAs(at({ username: 'serving', password: 'x' }))).toContain('Cufflink listens on');
  });

  test('a role without grants is told how it gets them, and not to serve as the owner', async () => {
    await migrate(owner, databaseSchema);
    const env = { DATABASE_URL: at({ username: 'stranger', password: 'stranger' }) };
    const { code, stderr } = await runProcess({ folder: await newFolder('stranger'), env });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^The user of DATABASE_URL may not do that \(permission denied for table mikro_orm_migrations\)\. .*member of cufflink_server.*npm run migrate.*\.\n$/,
    );
    expect(stderr).not.toContain('connect as the owner');
  });
});
