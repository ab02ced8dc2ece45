import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/* Processes of the harness: each is ended at the end, however the end comes. */

const running = new Set();
let isOver = false;

/** Nothing starts any more once the end has begun. */
function track(child) {
  running.add(child);
  child.once('exit', () => running.delete(child));
  if (isOver) child.kill('SIGKILL');
  return child;
}

const pathOf = (file) => fileURLToPath(new URL(file, import.meta.url));

/**
 * Starts a contestant: a script that prints the address it listens on.
 * @returns its address, and what it takes to know more about it
 */
export async function startServer(name, script, env) {
  const began = performance.now();
  const child = track(
    spawn(process.execPath, [pathOf(script)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_ENV: 'production', ...env },
    }),
  );
  let said = '';
  const url = await new Promise((resolve, reject) => {
    const hear = (chunk) => {
      said = `${said}${chunk}`.slice(-20_000);
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said);
      if (found) resolve(found[0]);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', (chunk) => {
      said = `${said}${chunk}`.slice(-20_000);
    });
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}:\n${said}`)));
    child.once('error', reject);
  });
  return {
    name,
    url,
    pid: child.pid,
    startedInMs: performance.now() - began,
    /** The end of what it said. */
    said: () => said.slice(-1_000),
    stop: () => end(child),
  };
}

/** The load generator: a process of its own, told by messages. */
export function startLoad() {
  const child = track(fork(pathOf('load/load.mjs'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }));
  return {
    /** @returns what was measured; see load/load.mjs */
    async run(job) {
      const { promise, resolve, reject } = Promise.withResolvers();
      const onExit = (code) => reject(new Error(`The load ended with ${code}.`));
      child.once('message', resolve).once('exit', onExit).send(job);
      const answer = await promise.finally(() => child.off('message', resolve).off('exit', onExit));
      if (answer.problem) throw new Error(answer.problem);
      return answer;
    },
    stop: () => end(child),
  };
}

/** Seconds of a core that a process has taken so far; Linux counts in hundredths. */
export async function cpuSecondsOf(pid) {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const [userTime, systemTime] = stat.slice(stat.lastIndexOf(')')).split(' ').slice(12, 14);
  return (Number(userTime) + Number(systemTime)) / 100;
}

/** Runs a command of the product to its end. @throws what it said where that was no good one */
export async function runCommand(script, args, env) {
  const child = track(
    spawn(process.execPath, [pathOf(script), ...args], { stdio: ['ignore', 'ignore', 'pipe'], env }),
  );
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${script} ended with ${code}:\n${said}`);
}

/** Resident memory of a process in MB: now, and at most so far. */
export async function memoryOf(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const mb = (field) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
  return { now: mb('VmRSS'), max: mb('VmHWM') };
}

export async function endAll() {
  isOver = true;
  await Promise.all([...running].map(end));
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  // Ours drains for a second and takes at most ten.
  const isEnded = await Promise.race([ended.then(() => true), sleep(12_000, false, { ref: false })]);
  if (!isEnded) child.kill('SIGKILL');
  await ended;
}
