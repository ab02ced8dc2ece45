import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EmbeddedPostgresError } from './embedded-error.ts';

/*
 * PostgreSQL refuses to run as root. As an ordinary user the database runs as that user. As root it
 * runs as the owner of its data, or as `postgres` or `nobody` where there is none yet.
 */

export interface DatabaseUser {
  /**
   * Starts a program in a process group of its own: Ctrl-C in the terminal is for us, and we stop
   * the database in order.
   * @param output file descriptor that takes what it prints
   */
  spawn(command: string, args: readonly string[], output: number): Promise<ChildProcess>;
  /** Gives files to this user. */
  own(...files: string[]): Promise<void>;
}

export interface DatabaseUserOptions {
  /** The database's folder. */
  folder: string;
  /** The folder of the database's programs. */
  programs: string;
  /** The data, if it is there. */
  data: string;
  /** The programs' whole environment: ours may hold secrets, and settings of other databases. */
  env: NodeJS.ProcessEnv;
}

/** @throws EmbeddedPostgresError when there is nobody to run it */
export async function databaseUser(options: DatabaseUserOptions): Promise<DatabaseUser> {
  const { folder, programs, data, env } = options;
  const run = async (command: string, args: readonly string[], output: number, ids?: Ids) => {
    const child = spawn(command, args, {
      stdio: ['ignore', output, output],
      detached: true,
      cwd: '/',
      env,
      ...ids,
    });
    await once(child, 'spawn');
    return child;
  };
  if (process.getuid?.() !== 0) return { spawn: run, own: async () => {} };

  const ids = (await ownerOf(data)) ?? (await unprivilegedIds());
  const own = async (...files: string[]) => {
    for (const file of files) await chown(file, ids.uid, ids.gid);
  };
  await own(folder);
  if ((await mayEnter(folder, ids)) && (await mayEnter(programs, ids))) {
    return { spawn: (command, args, output) => run(command, args, output, ids), own };
  }
  return { spawn: throughClosedFolders(folder, ids, run), own };
}

/**
 * A user that may not enter a folder on the way (a clone below /root) keeps the one capability that
 * lets it, by util-linux's setpriv, rather than having the data moved elsewhere.
 */
function throughClosedFolders(folder: string, { uid, gid }: Ids, run: DatabaseUser['spawn']) {
  const privileges = [
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--inh-caps=+dac_override',
    '--ambient-caps=+dac_override',
    // Else access(2), by which PostgreSQL looks at its own programs, leaves the capability out.
    '--securebits=+no_setuid_fixup',
    '--',
  ];
  return async (command: string, args: readonly string[], output: number): Promise<ChildProcess> => {
    try {
      return await run('setpriv', [...privileges, command, ...args], output);
    } catch (error) {
      throw new EmbeddedPostgresError(
        `PostgreSQL does not run as root, and user ${uid} may not enter ${folder}; install setpriv (util-linux), or start as an ordinary user.`,
        { cause: error },
      );
    }
  };
}

interface Ids {
  uid: number;
  gid: number;
}

async function ownerOf(data: string): Promise<Ids | null> {
  const found = await stat(data).catch(() => null);
  return found === null || found.uid === 0 ? null : { uid: found.uid, gid: found.gid };
}

async function unprivilegedIds(): Promise<Ids> {
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
async function mayEnter(folder: string, { uid, gid }: Ids): Promise<boolean> {
  for (let path = folder; ; path = dirname(path)) {
    const { mode, uid: owner, gid: group } = await stat(path);
    const bit = owner === uid ? 0o100 : group === gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (path === dirname(path)) return true;
  }
}
