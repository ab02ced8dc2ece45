import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { type DatabaseUser, databaseUser } from './database-user.ts';
import { EmbeddedPostgresError } from './embedded-error.ts';
import { findPrograms, type Programs } from './embedded-programs.ts';
import { embeddedUrl, superuser } from './embedded-url.ts';
import { lockFolder } from './folder-lock.ts';
import {
  clearPidFile,
  findPostmaster,
  type Postmaster,
  signalProcess,
  stopPostmaster,
} from './postmaster.ts';

/*
 * A real PostgreSQL from npm, run as a child process on a folder of ours. It serves `npm start`
 * without DATABASE_URL, and the tests.
 *
 * One process owns the folder, by a lock that ends with it. A postmaster left behind by a kill -9 is
 * adopted by the next owner. The data appear in one piece: they are made beside and moved into place.
 */

export interface EmbeddedPostgres {
  /** Connection string of the database `cufflink`, as its owner. */
  url: string;
  /** Stops the database and waits until it is down. */
  stop(): Promise<void>;
}

const startSecondsMax = 30;
const launchesMax = 3;

/**
 * Starts, or adopts, the database in `folder`.
 * @param folder made when it is not there; holds `data/`, `password`, `log` and `lib/`
 * @param settings extra server settings, e.g. `fsync=off` for tests
 * @throws EmbeddedPostgresError
 */
export async function startEmbeddedPostgres(
  folder: string,
  settings: readonly string[] = [],
): Promise<EmbeddedPostgres> {
  try {
    const root = await makeFolder(folder);
    const unlock = await lockFolder(root);
    if (unlock === null) {
      throw new EmbeddedPostgresError(
        `Another server is running on ${root}; stop it first, or give this one a DATABASE_URL.`,
      );
    }
    try {
      return await openFolder(root, settings, unlock);
    } catch (error) {
      await unlock();
      throw error;
    }
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (!['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'ENOTDIR'].includes(code ?? '')) throw error;
    throw new EmbeddedPostgresError(
      `${path ?? folder} can't be used (${code}); start as the user that owns it, or set DATABASE_URL.`,
      { cause: error },
    );
  }
}

/** Others may pass through the outer folder, so that the database's own user can reach the inner one. */
async function makeFolder(folder: string): Promise<string> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o711 });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return realpath(folder);
}

async function openFolder(
  root: string,
  settings: readonly string[],
  unlock: () => Promise<void>,
): Promise<EmbeddedPostgres> {
  const data = join(root, 'data');
  const programs = await findPrograms(join(root, 'lib'));
  const user = await databaseUser({
    folder: root,
    programs: dirname(programs.postgres),
    data,
    env: programs.env,
  });
  await user.own(join(root, 'lib'));
  const password = await ensureData(root, data, programs, user);
  const { pid, port } = (await adopt(data)) ?? (await launch(root, data, programs, user, settings));

  // The last resort when this process ends by an error: the database ends with it.
  const lastResort = () => signalProcess(pid, 'SIGINT');
  process.once('exit', lastResort);
  const stop = async () => {
    await stopPostmaster(data, pid);
    process.off('exit', lastResort);
    await unlock();
  };
  try {
    await ensureDatabase(port, password);
  } catch (error) {
    await stop();
    throw new EmbeddedPostgresError(
      `The PostgreSQL in ${root} does not let us in: ${(error as Error).message}.`,
      { cause: error },
    );
  }
  return { url: embeddedUrl(port, password), stop };
}

/** Makes the data once. @returns the superuser's password */
async function ensureData(
  root: string,
  data: string,
  programs: Programs,
  user: DatabaseUser,
): Promise<string> {
  const passwordFile = join(root, 'password');
  const names = await readdir(root);
  // Left behind by a start that was cut off. Its initdb may still be writing; then the next start removes it.
  for (const draft of names.filter((name) => name.startsWith('draft-'))) {
    await rm(join(root, draft), { recursive: true, force: true }).catch(() => {});
  }
  if (names.includes('data')) {
    await assertVersion(data, programs);
    return readPart(passwordFile);
  }

  const password = randomBytes(24).toString('base64url');
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  const draft = await mkdtemp(join(root, 'draft-'));
  await user.own(passwordFile, draft);
  const log = await openLog(root, user);
  const initdb = await user.spawn(
    programs.initdb,
    [
      `--pgdata=${draft}`,
      `--username=${superuser}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--locale=C',
      '--no-sync',
    ],
    log.fd,
  );
  await log.close();
  const [code] = (await once(initdb, 'exit')) as [number | null];
  if (code !== 0) {
    throw new EmbeddedPostgresError(`PostgreSQL could not make ${data}: ${await reasonIn(root)}`);
  }
  await rename(draft, data);
  return password;
}

async function assertVersion(data: string, programs: Programs): Promise<void> {
  const { stdout } = await promisify(execFile)(programs.postgres, ['--version'], { env: programs.env });
  const ours = /(\d+)\./.exec(stdout)?.[1];
  const theirs = await readPart(join(data, 'PG_VERSION'));
  if (theirs !== ours) {
    throw new EmbeddedPostgresError(
      `${data} was made by PostgreSQL ${theirs}, this is ${ours}; move the folder away, or set DATABASE_URL to a server of that version.`,
    );
  }
}

async function readPart(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new EmbeddedPostgresError(
      `${file} is missing: the database's folder is not whole; move it away to begin anew.`,
    );
  });
  return text.trim();
}

/** The postmaster that a killed process left behind; one that is just ending is waited for. */
async function adopt(data: string): Promise<Postmaster | null> {
  for (let waited = 0; waited < startSecondsMax * 1000; waited += 50) {
    const postmaster = await findPostmaster(data);
    if (postmaster === null || postmaster.status === 'ready') return postmaster;
    await sleep(50);
  }
  throw new EmbeddedPostgresError(
    `The PostgreSQL left behind on ${data} did not get ready within ${startSecondsMax} s; end it first.`,
  );
}

async function launch(
  root: string,
  data: string,
  programs: Programs,
  user: DatabaseUser,
  settings: readonly string[],
): Promise<Postmaster> {
  await clearPidFile(data);
  for (let launches = 1; ; launches += 1) {
    const started = await launchOn(await freePort(), root, data, programs, user, settings);
    if (started !== null) return started;
    const reason = await reasonIn(root);
    // Between our finding the port free and its taking it, another program was faster.
    if (launches < launchesMax && /TCP\/IP socket/.test(reason)) continue;
    throw new EmbeddedPostgresError(`PostgreSQL did not start on ${data}: ${reason}`);
  }
}

/** @returns null when it ended at once; why stands in the log */
async function launchOn(
  port: number,
  root: string,
  data: string,
  programs: Programs,
  user: DatabaseUser,
  settings: readonly string[],
): Promise<Postmaster | null> {
  const options = [
    'listen_addresses=127.0.0.1',
    `port=${port}`,
    'unix_socket_directories=',
    'max_connections=200',
    // Errors of statements are the server's to log: PostgreSQL would add the values.
    'log_min_messages=log',
    'log_min_error_statement=panic',
    'log_checkpoints=off',
    ...settings,
  ];
  const log = await openLog(root, user);
  const child = await user.spawn(
    programs.postgres,
    ['-D', data, ...options.flatMap((option) => ['-c', option])],
    log.fd,
  );
  await log.close();
  for (let waited = 0; waited < startSecondsMax * 1000; waited += 20) {
    if (child.exitCode !== null || child.signalCode !== null) return null;
    const postmaster = await findPostmaster(data);
    if (postmaster?.status === 'ready') {
      // It must not keep a process alive that is done.
      child.unref();
      return postmaster;
    }
    await sleep(20);
  }
  child.kill('SIGKILL');
  throw new EmbeddedPostgresError(`PostgreSQL did not get ready on ${data} within ${startSecondsMax} s.`);
}

async function ensureDatabase(port: number, password: string): Promise<void> {
  const client = new Client({
    host: '127.0.0.1',
    port,
    user: superuser,
    password,
    database: 'postgres',
    ssl: false,
    connectionTimeoutMillis: 5_000,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rowCount } = await client.query("select from pg_database where datname = 'cufflink'");
    if (rowCount === 0) await client.query('create database cufflink');
  } finally {
    await client.end().catch(() => {});
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** A file, not a pipe to us: the database may outlive us. */
async function openLog(root: string, user: DatabaseUser) {
  const file = join(root, 'log');
  const handle = await open(file, 'w', 0o600);
  await user.own(file);
  return handle;
}

async function reasonIn(root: string): Promise<string> {
  const lines = (await readFile(join(root, 'log'), 'utf8')).trim().split('\n');
  return lines.findLast((line) => /FATAL|error:/.test(line)) ?? lines.at(-1) ?? '';
}
