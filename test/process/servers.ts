import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, readlink, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, jest } from '@jest/globals';

/*
 * Real server processes in folders of their own. What a test started is ended after it, whatever
 * became of the test.
 */

// Several starts, each of several processes, beside whatever else the machine does. How fast one is
// where nothing else runs is measured by .ci/run.
const readySecondsMax = 60;
jest.setTimeout(3 * readySecondsMax * 1000);

export const repository = fileURLToPath(new URL('../..', import.meta.url));
export interface ServerProcess {
  pid: number;
  /** The address, once it is printed; rejects when the process ends before. */
  ready(): Promise<string>;
  /** How it ended: the exit code, or the signal's name. */
  ended(): Promise<number | string>;
  /** Sends a signal to the process, or to its whole group as a terminal does. */
  kill(signal: NodeJS.Signals, whom?: 'process' | 'group'): void;
  stdout(): string;
  stderr(): string;
  /** The printed token of a role. */
  token(role: string): string;
}

export interface ServerOptions {
  /** The working directory, which holds .cufflink. */
  folder: string;
  env?: Record<string, string>;
  /** Instead of the built server. */
  command?: [string, ...string[]];
}

const folders: string[] = [];
const children: ChildProcess[] = [];

/** A new empty folder. */
export async function newFolder(name = 'folder'): Promise<string> {
  const folder = await mkdtemp(join(await realpath(tmpdir()), `cufflink ${name} `));
  folders.push(folder);
  return folder;
}

/** A folder with everybody's permission to enter and write. */
export async function newOpenFolder(): Promise<string> {
  const folder = await newFolder('open');
  await chmod(folder, 0o777);
  return folder;
}

let template: Promise<string> | undefined;

/** A folder with a filled database that was stopped: one start makes it for all tests of a file. */
export async function newStoppedFolder(): Promise<string> {
  template ??= makeTemplate();
  const folder = await newFolder('stopped');
  // Node's own copy gives everything to whoever copies; the data belong to the database's user.
  await promisify(execFile)('cp', ['-a', `${await template}/.`, folder]);
  return folder;
}

async function makeTemplate(): Promise<string> {
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'cufflink template '));
  const server = startProcess({ folder });
  await server.ready();
  server.kill('SIGTERM');
  await server.ended();
  return folder;
}

afterAll(async () => {
  if (template) await rm(await template, { recursive: true, force: true });
});

/** For afterEach: ends every process and removes every folder of the test. */
export async function cleanUp(): Promise<void> {
  for (const { pid, exitCode, signalCode } of children.splice(0)) {
    if (pid !== undefined && exitCode === null && signalCode === null) process.kill(pid, 'SIGKILL');
  }
  for (const folder of folders.splice(0)) {
    for (const pid of await processesIn(folder)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it ended together with another
      }
    }
    await untilTrue(async () => (await processesIn(folder)).length === 0);
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Starts a server on any free port, with no setting but the given ones. */
export function startProcess({ folder, env, command }: ServerOptions): ServerProcess {
  const [program, ...args] = command ?? [process.execPath, join(repository, 'dist/server/main.js')];
  const child = spawn(program, args, {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, PORT: '0', npm_config_update_notifier: 'false', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  children.push(child);
  const pid = child.pid as number;
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  const end = new Promise<number | string>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  const address = () =>
    (env?.['NODE_ENV'] === 'production'
      ? /"url":"([^"]+)","msg":"Cufflink serves"/
      : /^Cufflink listens on (\S+)\/graphql\n/m
    ).exec(output.stdout)?.[1];
  return {
    pid,
    async ready() {
      await Promise.race([end, untilTrue(async () => address() !== undefined, readySecondsMax * 1000)]);
      const url = address();
      if (url === undefined) {
        throw new Error(`The server did not start (${await end}): ${output.stderr}${output.stdout}`);
      }
      return url;
    },
    ended: () => end,
    kill: (signal, whom = 'process') => process.kill(whom === 'group' ? -pid : pid, signal),
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    token(role) {
      const [, token] = new RegExp(`^${role}: .*\n(\\S+)$`, 'm').exec(output.stdout) ?? [];
      if (token === undefined) throw new Error(`No token of ${role} in: ${output.stdout}`);
      return token;
    },
  };
}

interface Ended {
  code: number | string;
  stdout: string;
  stderr: string;
}

/** Runs something to its end. */
export async function runProcess(options: ServerOptions): Promise<Ended> {
  const started = startProcess(options);
  const code = await started.ended();
  return { code, stdout: started.stdout(), stderr: started.stderr() };
}

/** The embedded database's own process, as its pid file names it. */
export async function postmasterOf(folder: string): Promise<number> {
  const text = await readFile(join(folder, '.cufflink/postgres/data/postmaster.pid'), 'utf8');
  return Number(text.split('\n')[0]);
}

/** The same without the database's sessions, which come and go with the work of its server. */
export const programsIn = (folder: string): Promise<number[]> =>
  processesIn(folder, (command) => !/^postgres: cufflink /.test(command));

/** Live processes that work in a folder or were started with it. */
export async function processesIn(
  folder: string,
  counts: (command: string) => boolean = () => true,
): Promise<number[]> {
  const pids = (await readdir('/proc')).map(Number).filter(Number.isInteger);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [cwd, command] = await Promise.all([
        readlink(`/proc/${pid}/cwd`).catch(() => ''),
        readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
      ]);
      return (cwd.startsWith(folder) || command.includes(folder)) && counts(command);
    }),
  );
  return pids.filter((_pid, index) => found[index]);
}

/** Waits until a condition holds. */
export async function untilTrue(condition: () => Promise<boolean>, msMax = 20_000): Promise<void> {
  for (let waited = 0; !(await condition()); waited += 20) {
    if (waited >= msMax) throw new Error(`Waited ${msMax} ms in vain.`);
    await sleep(20);
  }
}
