import { readdir, readFile, readlink, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedPostgresError } from './embedded-error.ts';

/*
 * The postmaster is PostgreSQL's first process. It writes postmaster.pid into its data folder, works
 * in that folder, and removes the file when it ends in order (PostgreSQL manual, "Database File
 * Layout"). After a kill -9 the file stays, and its pid may be another program's by now.
 */

export interface Postmaster {
  pid: number;
  port: number;
  status: 'starting' | 'ready' | 'stopping' | string;
}

const stopSecondsMax = 8;
const quitSecondsMax = 2;
const leftoverSecondsMax = 10;

/** The postmaster that runs on a data folder, or null. */
export async function findPostmaster(data: string): Promise<Postmaster | null> {
  const text = await readPidFile(data);
  const lines = text?.split('\n') ?? [];
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 1 || !(await isServerOf(data, pid))) return null;
  return { pid, port: Number(lines[3]), status: (lines[7] ?? 'starting').trim() };
}

/**
 * Removes the pid file of a postmaster that is gone. PostgreSQL itself would refuse to start when the
 * pid belongs to another program of the same user. What a killed postmaster left behind ends by
 * itself; until then nothing may touch the data.
 */
export async function clearPidFile(data: string): Promise<void> {
  if (process.platform !== 'linux' || (await readPidFile(data)) === null) return;
  for (let waited = 0; await hasServers(data); waited += 100) {
    if (waited >= leftoverSecondsMax * 1000) {
      throw new EmbeddedPostgresError(
        `Processes of an earlier PostgreSQL still work on ${data}; end them first.`,
      );
    }
    await sleep(100);
  }
  await rm(join(data, 'postmaster.pid'), { force: true });
}

/** Fast shutdown: sessions are ended, what is committed is on disk. */
export async function stopPostmaster(data: string, pid: number): Promise<void> {
  for (const [signal, seconds] of [
    ['SIGINT', stopSecondsMax],
    ['SIGQUIT', quitSecondsMax],
  ] as const) {
    if (!(await isServerOf(data, pid))) return;
    signalProcess(pid, signal);
    for (let waited = 0; waited < seconds * 1000; waited += 20) {
      if (!(await isServerOf(data, pid))) return;
      await sleep(20);
    }
  }
}

/** Sends a signal to a process that may be gone. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it ended by itself
  }
}

async function readPidFile(data: string): Promise<string | null> {
  return readFile(join(data, 'postmaster.pid'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}

/** Whether a live process is a PostgreSQL on this data folder. One that may not be looked at is not ours. */
async function isServerOf(data: string, pid: number): Promise<boolean> {
  if (process.platform !== 'linux') return isAlive(pid);
  try {
    const [program, folder] = await Promise.all([readlink(`/proc/${pid}/exe`), readlink(`/proc/${pid}/cwd`)]);
    return /\/postgres( \(deleted\))?$/.test(program) && folder === (await realpath(data));
  } catch {
    return false;
  }
}

async function hasServers(data: string): Promise<boolean> {
  const pids = (await readdir('/proc')).map(Number).filter(Number.isInteger);
  return (await Promise.all(pids.map((pid) => isServerOf(data, pid)))).includes(true);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
