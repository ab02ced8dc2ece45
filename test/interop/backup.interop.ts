import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, chown, cp, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { serverRole } from '../../src/audit/append-only.ts';
import { databaseSchema } from '../../src/database-schema.ts';
import { inRole } from '../../src/db/connection.ts';
import { migrate } from '../../src/db/migrate.ts';
import { newKey, seed, serviceWith } from '../keys/ring.ts';
import { withClient } from '../process/databases.ts';
import { cleanUp, newFolder } from '../process/servers.ts';
import { contents, openAs, seal, verifyRecord } from '../restore/backup.ts';
import { startTestServer, TestClock, type TestServer } from '../setup/harness.ts';
import { codeAt } from '../setup/totp.ts';
import {
  type EnrolledUser,
  enrolledUser,
  finishChallenge,
  type SignInWorld,
  signInWorld,
  startToken,
  verify,
} from '../signin/user-agent.ts';

/*
 * Backups with PostgreSQL's own programs, as docs/operations.md has them (Debian packages postgresql and
 * postgresql-client; their folder is that of PG_BIN, else of the newest in /usr/lib/postgresql).
 */

jest.setTimeout(300_000);
const run = promisify(execFile);
const bin = process.env['PG_BIN'] ?? '/usr/lib/postgresql/15/bin';

/** PostgreSQL does not run as root. */
const isRoot = process.getuid?.() === 0;
const nobody = isRoot ? { uid: 65_534, gid: 65_534 } : {};
const program = (name: string, args: readonly string[]) =>
  run(join(bin, name), args, { ...nobody, cwd: '/tmp', env: { PATH: process.env['PATH'], LC_ALL: 'C' } });

const running: string[] = [];
let home: string;
let clock: TestClock;
const key = newKey('kept');
beforeEach(async () => {
  home = await folder('postgres');
  clock = new TestClock();
});
afterEach(async () => {
  for (const data of running.splice(0)) {
    await program('pg_ctl', ['stop', '-D', data, '-m', 'immediate', '-w']).catch(() => {});
  }
  await cleanUp();
});

async function folder(name: string): Promise<string> {
  const path = await newFolder(name);
  if (isRoot) await chown(path, 65_534, 65_534);
  return path;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts PostgreSQL on a data folder. @returns the URL of the database cufflink there */
async function startPostgres(data: string): Promise<string> {
  const port = await freePort();
  const options = `-c listen_addresses=127.0.0.1 -c port=${port} -c unix_socket_directories= -c fsync=off`;
  await program('pg_ctl', ['start', '-D', data, '-w', '-o', options, '-l', join(home, `log-${port}`)]);
  running.push(data);
  return `postgres://owner@127.0.0.1:${port}/cufflink`;
}

async function newPostgres(settings = ''): Promise<string> {
  const data = join(home, 'data');
  await program('initdb', [
    '-D',
    data,
    '-U',
    'owner',
    '--auth=trust',
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
  ]);
  await appendFile(join(data, 'postgresql.conf'), settings);
  const url = await startPostgres(data);
  await newDatabaseAt(url);
  await migrate(url, databaseSchema);
  return url;
}

async function newDatabaseAt(url: string): Promise<void> {
  const admin = new URL(url);
  admin.pathname = '/postgres';
  await withClient(admin.href, (client) => client.query(`create database ${new URL(url).pathname.slice(1)}`));
}

async function on<T>(url: string, work: (server: TestServer) => Promise<T>): Promise<T> {
  const database = await openAs(inRole(url, serverRole));
  const server = await startTestServer({ clock, database, service: await serviceWith(clock, key) });
  try {
    return await work(server);
  } finally {
    await server.stop();
    await database.close();
  }
}

/** Signs in on a server. @returns the types of both answers */
async function signIn(
  server: TestServer,
  world: SignInWorld,
  { id, secret }: EnrolledUser,
): Promise<unknown[]> {
  const there = {
    ...world,
    service: server.callerWith(world.service.token),
    browser: server.callerWith(null),
  };
  const mfaToken = await startToken(there, id);
  const verified = await verify(there.browser, codeAt(secret, clock.now()), mfaToken);
  const finished = await finishChallenge(there, mfaToken);
  return [verified.__typename, finished.__typename];
}

/** Somebody who enrolled. The world's callers go with the server; only its tokens are used again. */
const makeUser = (url: string) =>
  on(url, async (server) => {
    const world = await signInWorld(server);
    return { world, user: await enrolledUser(server, world) };
  });

test('a dump, restored into a new database, verifies, is migrated and sealed, and serves', async () => {
  const url = await newPostgres();
  const { world, user } = await makeUser(url);
  await seed(url, key, 200);
  const dump = join(home, 'cufflink.dump');
  await program('pg_dump', ['--format=custom', '--no-owner', '--no-acl', `--file=${dump}`, url]);
  const before = await contents(url);

  const restored = url.replace(/cufflink$/, 'restored');
  await newDatabaseAt(restored);
  await program('pg_restore', [
    '--no-owner',
    '--no-acl',
    '--exit-on-error',
    '--single-transaction',
    `--dbname=${restored}`,
    dump,
  ]);
  expect(await migrate(restored, databaseSchema)).toEqual([]);
  expect(await contents(restored)).toEqual(before);
  expect(await verifyRecord(restored)).toMatchObject({ code: 0 });
  expect(await seal(restored, clock.now(), '--yes')).toMatchObject({ code: 0, stderr: '' });
  clock.advance(30);
  expect(await on(restored, (server) => signIn(server, world, user))).toEqual([
    'FactorVerified',
    'MfaCompleted',
  ]);
  expect(await verifyRecord(restored)).toMatchObject({ code: 0 });
});

describe('a base backup with the archived log', () => {
  test('comes back up to the last of the log, and to a moment of it', async () => {
    const archive = join(home, 'archive');
    await mkdir(archive);
    if (isRoot) await chown(archive, 65_534, 65_534);
    const url = await newPostgres(
      `wal_level = replica\narchive_mode = on\narchive_command = 'cp "%p" "${archive}/%f"'\n`,
    );
    const { world, user } = await makeUser(url);
    const base = join(home, 'base');
    await program('pg_basebackup', [
      `--pgdata=${base}`,
      '--wal-method=stream',
      '--checkpoint=fast',
      `--dbname=${url}`,
    ]);
    const late = await makeUser(url);
    const { rows } = await withClient(url, (client) => client.query('select clock_timestamp()::text as at'));
    const moment = rows[0]?.at as string;
    const latest = await makeUser(url);
    const whole = await contents(url);
    await withClient(url, (client) => client.query('select pg_switch_wal()'));
    await archived(url);
    await program('pg_ctl', ['stop', '-D', join(home, 'data'), '-m', 'fast', '-w']);

    const recover = async (name: string, settings: string) => {
      const data = join(home, name);
      await cp(base, data, { recursive: true });
      await writeFile(join(data, 'recovery.signal'), '');
      await appendFile(
        join(data, 'postgresql.auto.conf'),
        `restore_command = 'cp "${archive}/%f" "%p"'\narchive_mode = off\n${settings}`,
      );
      if (isRoot) await run('chown', ['-R', '65534:65534', data]);
      const restored = await startPostgres(data);
      await promoted(restored);
      return restored;
    };
    const end = await recover('end', '');
    expect(await contents(end)).toEqual(whole);

    const past = await recover(
      'past',
      `recovery_target_time = '${moment}'\nrecovery_target_action = promote\n`,
    );
    const users = await withClient(past, (client) =>
      client.query<{ id: string }>('select id from users order by id'),
    );
    expect(users.rows.map(({ id }) => id)).toEqual([user.id, late.user.id].toSorted());
    expect(users.rows).not.toContainEqual({ id: latest.user.id });
    expect(await migrate(past, databaseSchema)).toEqual([]);
    expect(await verifyRecord(past)).toMatchObject({ code: 0 });
    expect(await seal(past, clock.now(), '--yes')).toMatchObject({ code: 0, stderr: '' });
    clock.advance(30);
    expect(await on(past, (server) => signIn(server, world, user))).toEqual([
      'FactorVerified',
      'MfaCompleted',
    ]);
  });
});

/** The segment that was current before the switch is in the archive. */
const archived = (url: string) =>
  until(
    url,
    'select last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 1) as done from pg_stat_archiver',
  );

const promoted = (url: string) => until(url, 'select not pg_is_in_recovery() as done');

const until = (url: string, question: string) =>
  withClient(url, async (client) => {
    for (let tries = 0; tries < 600; tries += 1) {
      const { rows } = await client.query<{ done: boolean }>(question);
      if (rows[0]?.done) return;
      await client.query('select pg_sleep(0.1)');
    }
    throw new Error(`Waited in vain: ${question}`);
  });
